//! Microsoft's Kusto Query Language.
