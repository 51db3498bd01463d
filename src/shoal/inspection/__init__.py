"""Looking at models and data: tables and plots."""
