"""Where rows come from, and how they become blocks in memory."""
