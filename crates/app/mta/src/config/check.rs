//! What the types can't say: values that contradict each other, and files that are not there.

mod accounts;
mod domains;
mod listeners;
mod routes;

use std::{fs, path::Path, time::Duration};

use super::{
    Config, Problem, Retry, Timeouts, Warning,
    compiled::{self, CompileError},
    domain, load,
    load::Document,
    units::show_duration,
};

/// All that was found, and where to look for places.
#[derive(Debug)]
pub struct Found<'d, 't> {
    document: &'d Document<'t>,
    /// What keeps the configuration from being used.
    pub errors: Vec<Problem>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

/// Checks a configuration; `document` is what it was read from.
pub fn check<'d, 't>(config: &Config, document: &'d Document<'t>) -> Found<'d, 't> {
    let mut found = Found { document, errors: Vec::new(), warnings: Vec::new() };
    found.names(config);
    found.tls_files(config);
    found.figures(config);
    found.retry(&["retry"], &config.retry);
    found.timeouts(&config.timeouts);
    found.users(config);
    found.accounts(config);
    found.listeners(config);
    found.domains(config);
    found.routes(config);
    found
}

impl Found<'_, '_> {
    fn error(&mut self, path: &[&str], message: impl Into<String>, help: &str) {
        let place = load::place(self.document, path);
        self.errors.push(Problem::new(message).at(place).help(help));
    }

    fn warn(&mut self, path: &[&str], message: impl Into<String>, help: &str) {
        let place = load::place(self.document, path);
        self.warnings.push(Problem::new(message).at(place).help(help));
    }

    /// EHLO keywords of a list.
    fn keywords(&mut self, path: &[&str], names: &[String]) {
        for name in names {
            if let Err(error) = transport::Features::by_names([name.as_str()]) {
                let help = "`docs/extensions.md` lists them all";
                self.error(path, error.to_string(), help);
            }
        }
    }

    fn names(&mut self, config: &Config) {
        if !domain::is_domain_name(&config.hostname) {
            let message = format!("`{}` is no host name", config.hostname);
            self.error(&["hostname"], message, "write it like `mail.example.org`");
        }
        if let Some(postmaster) = &config.dsn.postmaster {
            self.address(&["dsn", "postmaster"], postmaster);
        }
    }

    /// An address with a domain.
    fn address(&mut self, path: &[&str], text: &str) {
        if let Err(CompileError::Problem(problem)) = compiled::address(text) {
            self.errors.push(problem.at(load::place(self.document, path)));
        }
    }

    fn tls_files(&mut self, config: &Config) {
        let tls = &config.tls;
        match (&tls.certificate, &tls.key) {
            (Some(_), None) => self.error(
                &["tls", "certificate"],
                "there is a `certificate`, but no `key` to it",
                "name the private key's file as `key`, or leave out both for a self-signed one",
            ),
            (None, Some(_)) => self.error(
                &["tls", "key"],
                "there is a `key`, but no `certificate` to it",
                "name the certificate's file as `certificate`, or leave out both for a self-signed one",
            ),
            _ => (),
        }
        for (name, file) in
            [("certificate", &tls.certificate), ("key", &tls.key), ("client_ca", &tls.client_ca)]
        {
            if let Some(file) = file {
                self.pem(
                    &["tls", name],
                    file,
                    if name == "key" { "PRIVATE KEY" } else { "CERTIFICATE" },
                );
            }
        }
    }

    /// A file that must be PEM and hold something of a kind.
    fn pem(&mut self, path: &[&str], file: &Path, kind: &str) {
        let Some(text) = self.file(path, file) else { return };
        let text = String::from_utf8_lossy(&text);
        let holds = text.lines().any(|line| line.starts_with("-----BEGIN") && line.contains(kind));
        if !holds {
            let message = format!("`{}` holds no {}", file.display(), kind.to_lowercase());
            self.error(path, message, "it must be PEM: `-----BEGIN ...` and lines of base64");
        }
    }

    /// A file that must be readable.
    fn file(&mut self, path: &[&str], file: &Path) -> Option<Vec<u8>> {
        match fs::read(file) {
            Ok(octets) => Some(octets),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", file.display());
                self.error(path, message, "check the path, and that the server's user may read it");
                None
            }
        }
    }

    /// Figures that would keep everything from working.
    fn figures(&mut self, config: &Config) {
        let queue = &config.queue;
        for (path, figure) in [
            (["queue", "connections_max"], u64::from(queue.connections_max)),
            (["queue", "connections_per_site_max"], u64::from(queue.connections_per_site_max)),
            (
                ["queue", "messages_per_connection_max"],
                u64::from(queue.messages_per_connection_max),
            ),
            (["limits", "connections_max"], u64::from(config.limits.connections_max)),
            (["limits", "recipients_max"], u64::from(config.limits.recipients_max)),
            (["limits", "header_hops_max"], u64::from(config.limits.header_hops_max)),
            (["limits", "errors_max"], u64::from(config.limits.errors_max)),
            (["limits", "size_max"], config.limits.size_max),
            (["spool", "segment_size"], config.spool.segment_size),
            (["dns", "timeout"], config.dns.timeout.as_millis() as u64),
        ] {
            if figure == 0 {
                let message = format!("`{}` is 0: no mail would ever pass", path[1]);
                self.error(&path, message, "leave it out for its default");
            }
        }
        if config.limits.recipients_max > 0 && config.limits.recipients_max < 100 {
            let help = "RFC 5321 section 4.5.3.1.8 asks for at least 100";
            self.warn(
                &["limits", "recipients_max"],
                "few recipients are allowed in a message",
                help,
            );
        }
        if config.evidence.on && config.evidence.size_max < 1 << 20 {
            let help = "give it some MiB, or set `on = false`";
            self.error(
                &["evidence", "size_max"],
                "evidence doesn't fit into less than 1 MiB",
                help,
            );
        }
    }

    fn retry(&mut self, path: &[&str], retry: &Retry) {
        let at = |key| [path, &[key]].concat();
        let show = show_duration;
        if retry.first.is_zero() {
            self.error(
                &at("first"),
                "`first` is 0s: it would try without end",
                "leave it out for 5m",
            );
        }
        if retry.factor.is_nan() || retry.factor < 1.0 {
            let message = format!("`factor` ({}) is less than 1: waits would shrink", retry.factor);
            self.error(&at("factor"), message, "2 doubles each wait, 1 keeps it constant");
        }
        if retry.longest < retry.first {
            let message = format!(
                "`longest` ({}) is shorter than `first` ({})",
                show(retry.longest),
                show(retry.first)
            );
            self.error(&at("longest"), message, "raise `longest`, or lower `first`");
        }
        if retry.give_up < retry.longest {
            let message = format!(
                "`give_up` ({}) is shorter than `longest` ({})",
                show(retry.give_up),
                show(retry.longest)
            );
            self.error(&at("give_up"), message, "raise `give_up`, or lower `longest`");
        }
        if retry.delay_notice >= retry.give_up && retry.give_up >= retry.longest {
            let help = "set `delay_notice` to 0s if none is wanted, or lower it";
            self.warn(&at("delay_notice"), "no delay is ever told: `give_up` comes first", help);
        }
    }

    fn timeouts(&mut self, timeouts: &Timeouts) {
        for (name, wait) in [
            ("connect", timeouts.connect),
            ("greeting", timeouts.greeting),
            ("handshake", timeouts.handshake),
            ("command", timeouts.command),
            ("mail", timeouts.mail),
            ("rcpt", timeouts.rcpt),
            ("data", timeouts.data),
            ("content", timeouts.content),
            ("end_of_data", timeouts.end_of_data),
        ] {
            if wait == Duration::ZERO {
                let message = format!("`{name}` is 0s: every next hop would be too slow");
                self.error(&["timeouts", name], message, "leave it out for the RFC's value");
            }
        }
    }

    fn users(&mut self, config: &Config) {
        for (name, user) in &config.users {
            if !user.has_valid_hash() {
                let message = format!("the password of `{name}` is no argon2 hash");
                let help = "let `mailwright user add` make it, in a file of its own";
                self.error(&["users", name], message, help);
            }
            if !user.has_valid_keys() {
                let message = format!("the SCRAM keys of `{name}` can't be read");
                let help = "let `mailwright user add` make them, in a file of its own";
                self.error(&["users", name], message, help);
            }
        }
    }
}
