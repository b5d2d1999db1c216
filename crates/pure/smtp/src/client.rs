//! The client machine: one SMTP or LMTP connection as a value.
