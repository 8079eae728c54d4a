//! VictoriaLogs' LogsQL.
