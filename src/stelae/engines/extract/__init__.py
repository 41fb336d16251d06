"""What all engines that find things in texts share: windows, places, one answer of many parts."""
