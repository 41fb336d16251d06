curl -s -X POST http://0.0.0.0:51000/post \
     -H 'Content-Type: application/json' \
     -d '{"data":[{"text": "First do it"}, {"uri": "http://0.0.0.0:8000/favicon.png"}], "execEndpoint":"/"}'
