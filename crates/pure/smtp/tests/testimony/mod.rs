//! A session with a witness: all that is said goes by both the machine's driver and the [`Witness`], and at
//! the end their stories are compared.

#![allow(dead_code)] // each test uses its part

use super::{
    server_driver::Driver,
    witness::{Terms, Witness},
};

/// The session.
pub struct Observed {
    pub driver: Driver,
    witness: Witness,
    normalizes: bool,
}

impl Observed {
    pub fn new(words: &[String]) -> Self {
        let has = |word: &str| words.iter().any(|own| own == word);
        let terms = Terms {
            lmtp: has("lmtp"),
            tls_from_the_start: has("implicit"),
            needs_tls: has("tls-only"),
            needs_user: has("submission") || has("implicit"),
            is_stranger: has("stranger"),
        };
        let mut own = Self {
            driver: Driver::new(words),
            witness: Witness::new(terms),
            normalizes: has("normalize"),
        };
        own.hear();
        own
    }

    /// In pieces.
    pub fn send(&mut self, octets: &[u8], piece: usize) {
        for piece in octets.chunks(piece.min(octets.len().max(1))) {
            self.witness.sent(piece);
            self.driver.send(piece, usize::MAX);
            self.hear();
        }
    }

    fn hear(&mut self) {
        let lines = self.driver.take_replies();
        self.witness.heard(&lines);
        if self.driver.is_closed() {
            self.witness.is_over();
        }
    }

    pub fn tls_if_asked(&mut self) {
        if self.driver.awaits_tls() {
            self.witness.has_tls();
            self.driver.tls();
            self.hear();
        }
    }

    pub fn tls_failed(&mut self) {
        self.driver.tls_failed();
        self.hear();
        self.witness.is_over();
    }

    pub fn silence(&mut self) {
        self.driver.silence_if_awaited();
        self.hear();
    }

    pub fn shut_down(&mut self) {
        self.driver.shut_down();
        self.hear();
    }

    pub fn client_closes(&mut self) {
        self.driver.client_closes();
        self.witness.is_over();
        self.driver.take_replies();
    }

    /// What was kept is what was promised, and the other way round.
    ///
    /// # Panics
    /// If not.
    pub fn compare(&self) {
        let (promises, kept) = (&self.witness.promises, &self.driver.all_kept);
        assert_eq!(promises.len(), kept.len(), "promised {promises:?}, kept {kept:?}");
        let kept = kept.iter().zip(&self.driver.all_envelopes);
        for (promise, (content, (reverse_path, recipients))) in promises.iter().zip(kept) {
            let bare = |octets: &[u8]| {
                let mut last = 0;
                let found = octets.iter().any(|&octet| {
                    let is_bare = (octet == b'\n') != (last == b'\r');
                    last = octet;
                    is_bare
                });
                found || last == b'\r'
            };
            assert!(
                promise.content == *content || self.normalizes && bare(&promise.content),
                "said {:?}, kept {:?}",
                promise.content.escape_ascii().to_string(),
                content.escape_ascii().to_string()
            );
            assert!(is_same(&promise.reverse_path, reverse_path), "{promise:?} of {reverse_path}");
            assert_eq!(promise.recipients.len(), recipients.len(), "{promise:?} to {recipients:?}");
            let all = promise.recipients.iter().zip(recipients).all(|(a, b)| is_same(a, b));
            assert!(all, "{promise:?} to {recipients:?}");
            for to in &promise.recipients {
                let is_ours =
                    to.to_ascii_lowercase().ends_with("@example.test") || !to.contains('@');
                assert!(is_ours || promise.by_user, "relayed for a stranger: {promise:?}");
            }
        }
    }
}

/// Paths that can be written in one way only are compared, but for the case of their letters.
fn is_same(said: &str, kept: &str) -> bool {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | '-');
    !said.chars().all(is_simple) || said.eq_ignore_ascii_case(kept)
}
