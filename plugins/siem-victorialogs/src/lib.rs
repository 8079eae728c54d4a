//! VictoriaLogs.
