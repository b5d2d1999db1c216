//! Other people's servers, on loopback, each with its own folder and its own configuration.

mod dovecot;
mod exim;
mod postfix;
mod unbound;

pub use dovecot::Dovecot;
pub use exim::Exim;
pub use postfix::Postfix;
pub use unbound::Unbound;

use std::{
    fs,
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

/// What a peer asks of the next hop that all its mail goes to, and of its own clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants<'a> {
    /// Relays over STARTTLS only.
    pub tls: bool,
    /// Relays with AUTH: user and password.
    pub auth: Option<(&'a str, &'a str)>,
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

/// SIGTERM, and waits: these programs have children of their own to end.
fn end(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};
    // One that has ended already needs no signal.
    let _sent = kill_process(Pid::from_child(child), Signal::TERM);
    let _reaped = child.wait();
}
