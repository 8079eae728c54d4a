//! PostgreSQL: statements that read granted tables, and nothing else.
