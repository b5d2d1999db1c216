//! `:auth`: a login done for one. The password is asked for when the server waits for it, and no record
//! ever holds it.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::{dialogue::Dialogue, hearing::Heard, line::Mechanism, typing::Given};

impl Dialogue {
    /// Logs in; the reply tells what came of it.
    pub(super) async fn log_in(&mut self, mechanism: Mechanism, user: &str) {
        if !self.progress.tls && mechanism != Mechanism::CramMd5 {
            self.record.aside("without TLS everybody on the way can read the password");
        }
        let password = match self.typist.secret(&format!("Password of {user}: ")).await {
            Given::Line(password) => password,
            Given::End => {
                let why = self.failed("no password was given: nothing is sent".to_owned());
                return self.record.aside(&why);
            }
            Given::Trouble(why) => {
                let why = self.failed(why);
                return self.record.aside(&why);
            }
        };
        match mechanism {
            Mechanism::Plain => self.plain(user, &password).await,
            Mechanism::Login => self.login(user, &password).await,
            Mechanism::CramMd5 => self.cram_md5(user, &password).await,
        }
    }

    async fn plain(&mut self, user: &str, password: &[u8]) {
        let response = STANDARD.encode([b"\0", user.as_bytes(), b"\0", password].concat());
        let heard = self.exchange(&format!("AUTH PLAIN {response}")).await;
        // Some servers ask for it once more.
        if is_challenge(heard.as_ref()) {
            self.exchange(&response).await;
        }
    }

    async fn login(&mut self, user: &str, password: &[u8]) {
        let heard = self.exchange("AUTH LOGIN").await;
        if !is_challenge(heard.as_ref()) {
            return;
        }
        let heard = self.exchange(&STANDARD.encode(user)).await;
        if is_challenge(heard.as_ref()) {
            self.exchange(&STANDARD.encode(password)).await;
        }
    }

    async fn cram_md5(&mut self, user: &str, password: &[u8]) {
        let Some(heard) = self.exchange("AUTH CRAM-MD5").await.filter(|heard| heard.code == 334)
        else {
            return;
        };
        match STANDARD.decode(heard.text.trim()) {
            Ok(challenge) => {
                let response = digest(user, password, &challenge);
                self.exchange(&STANDARD.encode(response)).await;
            }
            Err(error) => {
                let why = self.failed(format!("the challenge is not base64 ({error}): given up"));
                self.record.aside(&why);
                self.exchange("*").await;
            }
        }
    }

    async fn exchange(&mut self, line: &str) -> Option<Heard> {
        self.send_line(line.as_bytes(), false).await;
        self.replies().await
    }
}

fn is_challenge(heard: Option<&Heard>) -> bool {
    heard.is_some_and(|heard| heard.code == 334)
}

/// User, a blank, and HMAC-MD5 of the challenge in hexadecimal (RFC 2195 section 2).
fn digest(user: &str, password: &[u8], challenge: &[u8]) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password).expect("HMAC takes keys of any length");
    mac.update(challenge);
    let octets = mac.finalize().into_bytes();
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{user} {hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2195 section 2.
    #[test]
    fn the_digest_of_the_standard() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        let response = digest("tim", b"tanstaaftanstaaf", challenge);
        assert_eq!(response, "tim b913a602c7eda7a495b4e6e7334d3890");
    }
}
