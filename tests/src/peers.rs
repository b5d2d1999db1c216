//! Other people's servers, on loopback, each with its own folder and its own configuration.

mod dovecot;
mod dovecot_auth;
mod exim;
mod kdc;
mod opensmtpd;
mod policy_host;
mod postfix;
mod saslauthd;
mod sendmail;
pub mod slapd;
mod unbound;

pub use dovecot::Dovecot;
pub use dovecot_auth::{DovecotAuth, Knows};
pub use exim::Exim;
pub use kdc::{Kdc, REALM};
pub use opensmtpd::OpenSmtpd;
pub use policy_host::{PolicyHost, Publishes};
pub use postfix::Postfix;
pub use saslauthd::Saslauthd;
pub use sendmail::Sendmail;
pub use slapd::Slapd;
pub use unbound::Unbound;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::{
    bed::binary,
    program::{is_root, run, skip},
};

/// What a peer asks of the next hop that all its mail goes to, and of its own clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants<'a> {
    /// Relays over STARTTLS only.
    pub tls: bool,
    /// Relays with AUTH: user and password.
    pub auth: Option<(&'a str, &'a str)>,
    /// Takes mail only from clients that sign in as this auth socket of a Dovecot has it. So far Postfix
    /// alone is told.
    pub dovecot: Option<&'a Path>,
    /// The same by Cyrus's library, with a user and his password: its mechanisms. So far Postfix alone is told.
    pub cyrus: Option<(&'a str, (&'a str, &'a str))>,
    /// With these mechanisms only. So far Postfix alone is told.
    pub mechanisms: Option<&'a str>,
    /// What it finds in its environment. So far Postfix alone is told.
    pub environment: &'a [(&'a str, String)],
    /// Takes mail only from clients that log in over TLS: user and password.
    pub login: Option<(&'a str, &'a str)>,
}

/// Writes a certificate for `localhost` and `peer.test`, and its key. Gives the data of the TLSA record
/// `3 1 1` that names the key.
fn certificate(folder: &Path) -> String {
    let names = vec!["localhost".to_owned(), "peer.test".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
    fs::write(folder.join("cert.pem"), made.cert.pem()).expect("the certificate can be written");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())
        .expect("the key can be written");
    let key = rcgen::PublicKeyData::subject_public_key_info(&made.signing_key);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key);
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Where `cargo x packages` unpacked a server: in the target folder that our program is in, or in the
/// default one.
fn unpacked(name: &str, program: &str) -> Option<PathBuf> {
    let beside = |path: &Path| Some(path.ancestors().nth(2)?.join("peers").join(name));
    let standard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers").join(name);
    let test = std::env::current_exe().ok();
    let folders = [test.and_then(|path| beside(path.parent()?)), beside(binary())];
    let mut folders = folders.into_iter().flatten().chain([standard]);
    let found = folders.find(|folder| folder.join(program).is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed; run `cargo x packages`"));
    }
    found
}

/// The libraries that were unpacked with it, for LD_LIBRARY_PATH.
fn libraries(unpacked: &Path) -> String {
    let folders = fs::read_dir(unpacked.join("usr/lib")).into_iter().flatten().flatten();
    let folders = folders.map(|entry| entry.path().display().to_string());
    folders.collect::<Vec<_>>().join(":")
}

/// A shell script that has file systems and a host name of its own; its arguments are to be added. `None`
/// (after saying why) where that is not allowed.
fn secluded(who: &str, script: &str) -> Option<Command> {
    if !is_root() || run(Command::new("unshare").args(["-m", "-u", "true"])).status() != 0 {
        skip(&format!("{who} needs a view of the system of its own, which only root may make"));
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "-u", "sh", "-c", script]);
    Some(command)
}

/// Waits until the peer takes connections.
#[track_caller]
fn ready(child: &mut Child, port: u16, log: &Path) {
    let until = Instant::now() + Duration::from_secs(30);
    while !crate::bed::answers(port) {
        let ended = child.try_wait().ok().flatten();
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(ended.is_none(), "the peer ended at start: {ended:?}\n{}", said());
        assert!(Instant::now() < until, "the peer does not answer\n{}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// SIGTERM, and waits: these programs have children of their own to end. One that does not end is killed
/// (saslauthd has been seen to lock itself up in its own handler of the signal).
fn end(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};
    // One that has ended already needs no signal.
    let _sent = kill_process(Pid::from_child(child), Signal::TERM);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while matches!(child.try_wait(), Ok(None)) && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _killed = child.kill();
    let _reaped = child.wait();
}
