//! Getting round what breaks a dialogue in the path: which feature the next attempt goes without.
//!
//! Features are suspected one at a time, the likeliest for the step first, of those that were really used.
//! Whoever remembers what was learned comes to the next suspect by itself if the one before was innocent.
//!
//! | what happened                                    | suspects, in this order                        |
//! | -------------------------------------------------| -----------------------------------------------|
//! | silence, a break or nonsense up to DATA          | PIPELINING, SIZE, DSN, 8BITMIME, EHLO          |
//! | a command "out of sequence" that was in sequence | PIPELINING, SIZE, DSN, 8BITMIME, EHLO          |
//! | MAIL or RCPT with parameters not understood      | SIZE, DSN, 8BITMIME, EHLO                      |
//! | BDAT not known, or a break while or after it     | CHUNKING                                       |
//! | a break at XEXCH50, or before all is over        | XEXCH50, before all others                     |
//!
//! Without EHLO there is no TLS and no login: it is never suspected where either was promised or in use.

use smtp::{Cause, Outcome, Reply, Stage, Trouble};

use crate::plan::{Features, Learned};

/// What the envelope's commands may carry that a path stumbles over.
const PARAMETERS: [Features; 4] =
    [Features::SIZE, Features::DSN, Features::EIGHTBITMIME, Features::EHLO];
/// The same, after what is most often to blame. (XEXCH50 counts as used only once it was said, behind RCPT.)
const ENVELOPE: [Features; 6] = [
    Features::XEXCH50,
    Features::PIPELINING,
    Features::SIZE,
    Features::DSN,
    Features::EIGHTBITMIME,
    Features::EHLO,
];

/// Which feature a transaction may have broken on. What was refused for its sake is put off rather than
/// failed, as without it it may go through.
pub(crate) fn learn(used: Features, without_ehlo: bool, outcomes: &mut [Outcome]) -> Learned {
    let used = if without_ehlo { used } else { used.without(Features::EHLO) };
    let mut learned = Learned::default();
    let suspect = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Deferred(cause) | Outcome::Failed(cause) => {
            suspect(used, cause).map(|feature| (feature, cause))
        }
        Outcome::Relayed(_) => None,
    });
    let Some((feature, cause)) = suspect else { return learned };
    let place = match cause.stage {
        Stage::Other => feature.to_string(),
        stage => stage.to_string(),
    };
    let why = format!("the dialogue broke at {place}: {}", cause.trouble);
    match cause.trouble {
        Trouble::Reply(_) => learned.was_refused(feature, why),
        _ => learned.broke(feature, why),
    }
    for outcome in outcomes {
        if let Outcome::Failed(cause) = outcome
            && suspect_of_refusal(used, cause).is_some()
        {
            *outcome = Outcome::Deferred(cause.clone());
        }
    }
    learned
}

fn suspect(used: Features, cause: &Cause) -> Option<Features> {
    let broke = matches!(
        cause.trouble,
        Trouble::Silence(_) | Trouble::Closed | Trouble::Malformed(_) | Trouble::Network(_)
    );
    match cause.stage {
        Stage::Mail | Stage::Rcpt | Stage::Data if broke => first(used, &ENVELOPE),
        Stage::Content | Stage::EndOfData if broke => {
            first(used, &[Features::XEXCH50, Features::CHUNKING])
        }
        Stage::Other if broke => first(used, &[Features::XEXCH50]),
        _ => suspect_of_refusal(used, cause),
    }
}

/// A refusal that is about the dialogue, not about this mail.
fn suspect_of_refusal(used: Features, cause: &Cause) -> Option<Features> {
    let Trouble::Reply(reply) = &cause.trouble else { return None };
    match (cause.stage, reply.code) {
        // BDAT was offered and is not known after all: a box in between took the command away.
        (Stage::Data | Stage::Content | Stage::EndOfData, 500 | 502) => {
            first(used, &[Features::CHUNKING])
        }
        // We keep the order: whoever says otherwise has lost a command or got it changed.
        (Stage::Mail | Stage::Rcpt | Stage::Data, 503) if !wants_login(reply) => {
            first(used, &ENVELOPE)
        }
        (Stage::Mail | Stage::Rcpt, 500 | 501 | 502 | 504 | 555) => first(used, &PARAMETERS),
        _ => None,
    }
}

/// 503 is also what some servers say to a client that has to log in first.
fn wants_login(reply: &Reply) -> bool {
    let text = reply.text.to_lowercase();
    ["auth", "login", "log in", "sign in"].iter().any(|word| text.contains(word))
}

fn first(used: Features, suspects: &[Features]) -> Option<Features> {
    suspects.iter().copied().find(|suspect| used.has(*suspect))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Features {
        Features::PIPELINING.with(Features::CHUNKING).with(Features::SIZE).with(Features::EHLO)
    }

    fn learned(used: Features, without_ehlo: bool, stage: Stage, trouble: Trouble) -> Features {
        let mut outcomes = [Outcome::Deferred(Cause { stage, trouble })];
        learn(used, without_ehlo, &mut outcomes).avoid()
    }

    #[test]
    fn one_at_a_time_and_never_at_the_price_of_tls() {
        let bad_sequence = || Trouble::Reply(Reply::bare(503, "5.5.1 Bad sequence of commands"));
        let mut used = all();
        let mut tried = Vec::new();
        loop {
            let feature = learned(used, true, Stage::Rcpt, bad_sequence());
            if feature == Features::NONE {
                break;
            }
            tried.push(feature.to_string());
            used = used.without(feature);
        }
        assert_eq!(tried, ["PIPELINING", "SIZE", "EHLO"]);
        let only_ehlo = Features::EHLO;
        assert_eq!(learned(only_ehlo, false, Stage::Rcpt, bad_sequence()), Features::NONE);
    }

    #[test]
    fn what_points_to_what() {
        let reply = |code, text: &'static str| Trouble::Reply(Reply::bare(code, text));
        for (stage, trouble, suspected) in [
            (Stage::Mail, Trouble::Closed, Features::PIPELINING),
            (Stage::EndOfData, Trouble::Closed, Features::CHUNKING),
            (Stage::EndOfData, reply(500, "unrecognized"), Features::CHUNKING),
            (Stage::Mail, reply(555, "parameter not known"), Features::SIZE),
            (Stage::Rcpt, reply(550, "no such user"), Features::NONE),
            (Stage::Mail, reply(503, "authentication required"), Features::NONE),
            (Stage::EndOfData, reply(554, "spam"), Features::NONE),
            (Stage::Other, Trouble::Closed, Features::NONE),
        ] {
            assert_eq!(learned(all(), true, stage, trouble.clone()), suspected, "{trouble:?}");
        }
    }

    #[test]
    fn xexch50_is_to_blame_before_all_others_where_it_was_said() {
        let used = all().with(Features::XEXCH50);
        for stage in [Stage::Other, Stage::Data, Stage::Content, Stage::EndOfData] {
            assert_eq!(learned(used, true, stage, Trouble::Closed), Features::XEXCH50, "{stage}");
        }
        let spam = Trouble::Reply(Reply::bare(554, "spam"));
        assert_eq!(learned(used, true, Stage::EndOfData, spam), Features::NONE);
    }

    #[test]
    fn a_refusal_for_a_features_sake_is_put_off() {
        let cause = |code| Cause {
            stage: Stage::Rcpt,
            trouble: Trouble::Reply(Reply::bare(code, "5.5.1 need MAIL")),
        };
        let mut outcomes = [Outcome::Failed(cause(503)), Outcome::Failed(cause(550))];
        learn(all(), true, &mut outcomes);
        assert!(matches!(outcomes, [Outcome::Deferred(_), Outcome::Failed(_)]));
    }
}
