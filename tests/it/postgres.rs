//! PostgreSQL, by its plugin and a real server.
