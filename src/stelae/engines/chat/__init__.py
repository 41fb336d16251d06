"""What engines that go on with conversations share; no model library is imported here."""
