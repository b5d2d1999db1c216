//! What was learned of a site: which features broke there, and until when each is done without. Pure.
//!
//! | feature                  | is done without for | once                                                     |
//! |--------------------------|---------------------|----------------------------------------------------------|
//! | EHLO                     | an hour             | it was refused, or the dialogue broke twice in that time |
//! | STARTTLS                 | an hour             | it broke                                                 |
//! | any other                | a day               | it was refused, or the dialogue broke                    |
//!
//! HELO takes all extensions away, and mail goes in clear without STARTTLS: one connection that was reset by chance
//! shall not cost that much.

use std::time::Duration;

use smtp::Timestamp;
use transport::{Features, Reason};

const DEAR: Features = Features::EHLO.with(Features::STARTTLS);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// All that was learned of one site.
#[derive(Debug, Default)]
pub struct Lessons {
    /// One row for each feature.
    avoided: Vec<(Features, Timestamp)>,
    /// A break that may be EHLO's fault counts until then.
    suspected: Option<Timestamp>,
}

impl Lessons {
    /// Takes a lesson. Gives until when the feature is done without; none if that is not proven yet.
    pub fn learn(&mut self, reason: &Reason, now: Timestamp) -> Option<Timestamp> {
        let dear = DEAR.has(reason.feature);
        let term = now.after(if dear { HOUR } else { DAY });
        if reason.feature == Features::EHLO && !reason.is_said {
            let before = self.suspected.replace(term);
            before.filter(|&until| now < until)?;
        }
        self.avoided.retain(|(feature, _)| *feature != reason.feature);
        self.avoided.push((reason.feature, term));
        Some(term)
    }

    /// What is done without.
    pub fn avoided(&self, now: Timestamp) -> Features {
        let rows = self.avoided.iter().filter(|&&(_, until)| now < until);
        rows.fold(Features::NONE, |all, (feature, _)| all.with(*feature))
    }

    /// Mail went through: what broke before was chance.
    pub fn works(&mut self) {
        self.suspected = None;
    }

    /// Forgets what is over.
    pub fn sweep(&mut self, now: Timestamp) {
        self.avoided.retain(|&(_, until)| now < until);
        self.suspected = self.suspected.filter(|&until| now < until);
    }

    /// Whether nothing was learned, or all of it is forgotten.
    pub fn is_empty(&self) -> bool {
        self.avoided.is_empty() && self.suspected.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_795_168_800_000);

    fn broke(feature: Features) -> Reason {
        Reason { feature, why: "it was reset".to_owned(), is_said: false }
    }

    #[test]
    fn each_feature_has_its_own_term() {
        let mut lessons = Lessons::default();
        let later = START.after(HOUR);
        lessons.learn(&broke(Features::STARTTLS), START);
        lessons.learn(&broke(Features::PIPELINING), START);
        lessons.learn(&broke(Features::SIZE), later);
        let all = Features::STARTTLS.with(Features::PIPELINING).with(Features::SIZE);
        assert_eq!(lessons.avoided(START), all);
        assert_eq!(lessons.avoided(later), Features::PIPELINING.with(Features::SIZE));
        assert_eq!(lessons.avoided(START.after(DAY)), Features::SIZE);
        lessons.sweep(START.after(DAY));
        assert!(!lessons.is_empty());
        lessons.sweep(later.after(DAY));
        assert!(lessons.is_empty());
    }

    #[test]
    fn one_break_does_not_take_ehlo_away() {
        let mut lessons = Lessons::default();
        let ehlo = broke(Features::EHLO);
        assert_eq!(lessons.learn(&ehlo, START), None);
        lessons.works();
        assert_eq!(lessons.learn(&ehlo, START), None, "mail went through between them");
        assert_eq!(lessons.learn(&ehlo, START.after(HOUR)), None, "too long ago");
        let soon = START.after(HOUR).after(Duration::from_secs(60));
        assert_eq!(lessons.learn(&ehlo, soon), Some(soon.after(HOUR)));
        assert_eq!(lessons.avoided(soon), Features::EHLO);
        let said = Reason { is_said: true, ..ehlo };
        assert!(Lessons::default().learn(&said, START).is_some());
    }
}
