//! The extensions over real sockets: what was offered is done, and towards others what they offer is used.
//!
//! What single lines are answered with is in tests/golden; here is what follows from it.

mod asking;
mod exchange;
mod fetching;
mod limits;
mod lmtp;
mod mta_sts;
mod promises;
mod require_tls;
mod trust;

use harness::{
    bed::{PASSWORD, USER},
    client::Client,
};

const CONTENT: &[u8] =
    b"From: <sender@from.test>\r\nSubject: x\r\nMessage-ID: <1@from.test>\r\n\r\ntext\r\n";

/// Another machine, as far as the server can tell.
const STRANGER: &str = "127.0.0.77";

/// A route that begins to be tried again soon.
fn route(domain: &str, port: u16) -> String {
    format!(
        "[routes.\"{domain}\"]\nnext_hop = \"127.0.0.1:{port}\"\nretry = {{ first = \"1s\", longest = \"1s\" }}\n"
    )
}

/// A further listener on that port.
fn listener(port: u16, more: &str) -> String {
    format!("[[listener]]\nname = \"own\"\naddress = \"127.0.0.1:{port}\"\n{more}\n")
}

/// Says AUTH in clear, where a listener lets it.
#[track_caller]
fn log_in(client: &mut Client) {
    let response = base64(format!("\0{USER}\0{PASSWORD}").as_bytes());
    client.expect(&format!("AUTH PLAIN {response}"), "235");
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let number = group.iter().fold(0_u32, |sum, &octet| sum << 8 | u32::from(octet));
        let number = number << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = (number >> (18 - 6 * at) & 63) as usize;
            text.push(if at <= group.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    text
}

/// Hands over a message: MAIL and RCPT as given, then the content.
#[track_caller]
fn hand_over(client: &mut Client, mail: &str, rcpt: &[&str]) -> String {
    client.expect(mail, "250");
    for rcpt in rcpt {
        client.expect(rcpt, "250");
    }
    client.expect("DATA", "354");
    client.write(CONTENT).expect("the server reads");
    client.expect(".", "250")
}
