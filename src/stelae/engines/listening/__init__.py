"""What engines that write down what is said share: windows, texts, times and their batches."""
