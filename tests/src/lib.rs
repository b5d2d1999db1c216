//! What the black-box tests share: our program as a process, and the programs it talks with.
//!
//! Everything here is for tests: what can't be had (a port, a folder) is a panic that says what was wanted.
//! Nothing outside a test's own folder is written to, and only processes started here are ended.

pub mod bed;
pub mod client;
pub mod maildir;
pub mod peers;
pub mod ports;
pub mod program;
pub mod sink;
pub mod web;
