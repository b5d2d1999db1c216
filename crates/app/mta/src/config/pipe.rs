//! `route.pipe`: a program that takes messages.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::units;

/// A program and how it is run: once for each recipient, the content on its standard input. No shell
/// ever sees any of it. In arguments and values of the environment `{recipient}`, `{user}`, `{detail}`,
/// `{domain}`, `{sender}`, `{id}` and `{size}` are filled in; `{sender}` is empty for the null
/// reverse-path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipe {
    /// The program, as an absolute path, and its arguments.
    pub command: Vec<String>,
    /// All of its environment, besides PATH.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Where it runs. Default: `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// The user it runs as; needs the server to run as root. Default: the server's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// After so long it is killed, and the message tried again later.
    #[serde(default = "default_timeout", with = "units::duration")]
    pub timeout: Duration,
    /// Lines end in LF, as programs of Unix expect; else in CRLF, as received.
    #[serde(default = "yes")]
    pub unix_lines: bool,
    /// `Return-Path:` and `Delivered-To:` stand in front of the content.
    #[serde(default = "yes")]
    pub trace_fields: bool,
}

fn default_timeout() -> Duration {
    Duration::from_secs(5 * 60)
}

fn yes() -> bool {
    true
}
