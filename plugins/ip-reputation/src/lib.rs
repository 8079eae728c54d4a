//! What is known of an address, by the service that the operator chose.
