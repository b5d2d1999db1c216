//! The server machine: one SMTP connection as a value.
