"""Users, and what they may do: rules as in Redis' ACL, passwords, the log of what was denied."""
