//! `mailwright door logins` and `door unlock`: who has failed to sign in, and who is locked for it.

use clap::Args;
use mta::handle::{Request, Response};
use policy::guard::Shown;
use smtp::Timestamp;

use crate::{
    output::{self, clean},
    problem::Problem,
    server::Place,
};

/// Show whose logins failed, and who is locked for it and until when
#[derive(Debug, Args)]
pub(super) struct Logins {
    /// Only who is locked
    #[arg(long)]
    locked: bool,
    #[command(flatten)]
    place: Place,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Forget the failed logins of a client, a network or a user
#[derive(Debug, Args)]
pub(super) struct Unlock {
    /// An address, a network as `door logins` shows it, or a user's name
    #[arg(value_name = "IP|NETWORK|USER", required_unless_present = "all")]
    who: Option<String>,
    /// Everybody's
    #[arg(long, conflicts_with = "who")]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Logins {
    pub(super) fn run(self) -> Result<(), Problem> {
        let mut shown = Vec::new();
        self.place.ask(&Request::Logins, |response| {
            if let Response::LoginsOf(of) = response {
                shown.push(*of);
            }
        })?;
        shown.retain(|of| !self.locked || of.locked.is_some());
        match self.json {
            true => shown.iter().for_each(output::json),
            false => {
                crate::output::say!("{}", show(&shown, world::Clock::Real.now(), output::width()))
            }
        }
        Ok(())
    }
}

impl Unlock {
    pub(super) fn run(self) -> Result<(), Problem> {
        let text = self.who.unwrap_or_default();
        let (count, notes) = self.place.ask(&Request::Unlock { text: text.clone() }, |_| {})?;
        if count == 0 && !self.all {
            let help = "`mailwright door logins` shows of whom there are";
            let message = format!("no failed logins of `{text}` are remembered");
            return Err(Problem::new(message).help(help));
        }
        output::forgotten(count, notes, self.json);
        Ok(())
    }
}

/// The list, for people.
fn show(shown: &[Shown], now: Timestamp, width: Option<u16>) -> String {
    if shown.is_empty() {
        return "no failed logins are remembered".to_owned();
    }
    let mut table = output::table(&["who", "as", "failures", "names", "last", "locked"], width);
    for Shown { subject, failures, names, last, locked } in shown {
        let names = if *names > 0 { names.to_string() } else { String::new() };
        let locked = locked.map_or_else(String::new, |until| output::relative(until, now));
        table.add_row([
            clean(&subject.to_string()),
            subject.kind().to_owned(),
            failures.to_string(),
            names,
            output::relative(*last, now),
            locked,
        ]);
    }
    output::text(&table)
}

#[cfg(test)]
mod tests {
    use policy::guard::Subject;

    use super::*;

    #[test]
    fn who_is_locked_is_seen() {
        let of = |subject, names, locked| Shown {
            subject,
            failures: 20,
            names,
            last: Timestamp(1_000_000),
            locked,
        };
        let address = "192.0.2.1".parse().unwrap();
        let shown = [
            of(Subject::Client(address), 3, Some(Timestamp(1_900_000))),
            of(Subject::User("anna\u{1b}".into()), 0, None),
        ];
        insta::assert_snapshot!(show(&shown, Timestamp(1_060_000), None));
    }
}
