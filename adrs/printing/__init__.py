"""What people see: tables and progress with rich. Nothing here computes a result."""
