//! A second AUTH behind a successful one: every server has to refuse it (RFC 4954 section 4).

use smtp::Stage;

use super::{About, Observed};
use crate::{
    dialogue::Verb,
    finding::{Confidence, Finding, Weight},
};

pub(super) fn find(observed: &Observed<'_>, found: &mut Vec<Finding>) {
    let mut is_logged_in = false;
    let mut is_told = false;
    for exchange in &observed.dialogue.exchanges {
        match (exchange.stage, exchange.code) {
            // The dialogue starts over (RFC 3207 section 4.2).
            (Stage::StartTls, 220) => is_logged_in = false,
            (Stage::Auth, 235) => is_logged_in = true,
            (Stage::Auth, 503) if is_logged_in && !is_told && exchange.verb == Verb::Auth => {
                is_told = true;
                found.push(observed.finding("login-again", Some(exchange.reply), About {
                    what: "a second login was tried in one session".to_owned(),
                    command: exchange.command,
                    who: observed.sender(),
                    confidence: Confidence::Certain,
                    why: "A login had been accepted before. There may be one in a session, and the server has to \
                          refuse another with 503 (RFC 4954 section 4)."
                        .to_owned(),
                    remedy: "Nothing has to be done for this mail: the first login holds. For another user open a \
                             new connection."
                        .to_owned(),
                    weight: Weight::Remark,
                    ..About::default()
                }));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::session::testing::{none, one};

    const READY: &str = "S: 220 r\nC: EHLO a\nS: 250-r\nS: 250 AUTH PLAIN\nC: AUTH PLAIN ****\n";

    #[test]
    fn again() {
        let text = format!("{READY}S: 235 ok\nC: AUTH PLAIN ****\nS: 503 already authenticated");
        assert_eq!(one(&text, "login-again").weight, Weight::Remark);
        none(&text, "login-failed");
    }

    #[test]
    fn near_misses() {
        none(&format!("{READY}S: 535 no\nC: AUTH PLAIN ****\nS: 503 too many"), "login-again");
        none(&format!("{READY}S: 503 not now"), "login-again");
    }
}
