"""What engines that go on with conversations share: no library of one engine is imported here."""
