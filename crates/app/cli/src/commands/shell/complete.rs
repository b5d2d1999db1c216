//! What Tab offers, and the grey rest of a line. No input or output.

pub mod parameters;

use diagnose::sequence::{self, State};

use super::{line::ORDERS, login, progress::Progress};

/// Where the word to be replaced begins, and what may stand there, as far as it fits what was typed.
/// `line` ends at the cursor.
pub fn candidates(line: &str, progress: &Progress) -> (usize, Vec<String>) {
    let (start, all) = words(line, progress);
    let typed = &line[start..];
    let fits = |word: &String| {
        word.get(..typed.len()).is_some_and(|head| head.eq_ignore_ascii_case(typed))
    };
    let mut fitting: Vec<String> = all.into_iter().filter(fits).collect();
    fitting.dedup();
    (start, fitting)
}

/// The rest of what is being typed, if only one thing fits; else the form of its arguments.
pub fn hint(line: &str, progress: &Progress) -> Option<String> {
    if line.is_empty() || progress.expected() == State::Content && !line.starts_with(':') {
        return None;
    }
    let (start, fitting) = candidates(line, progress);
    let typed = line.len() - start;
    if let [only] = fitting.as_slice()
        && only.len() > typed
    {
        return Some(only[typed..].to_owned());
    }
    let form = sequence::of(line).map(|step| (step.command, step.form));
    let order = ORDERS.iter().find(|(form, _)| form.split(' ').next() == Some(line));
    let (head, form) = form.or(order.map(|(form, _)| (line, *form)))?;
    form.get(head.len()..).filter(|rest| !rest.is_empty()).map(ToOwned::to_owned)
}

fn words(line: &str, progress: &Progress) -> (usize, Vec<String>) {
    // Content goes as it is typed: no command may creep into it. Orders are there all the same.
    if progress.expected() == State::Content && !line.starts_with(':') {
        return (line.len(), Vec::new());
    }
    let offset = usize::from(line.starts_with('!'));
    let Some(blank) = line.rfind(' ') else { return (offset, verbs(line, progress)) };
    let (verb, rest) = line[offset..].split_once(' ').unwrap_or((&line[offset..], ""));
    let verb = verb.to_ascii_uppercase();
    if let Some(bracket) = line.rfind('<').filter(|bracket| !line[*bracket..].contains('>')) {
        let mut addresses: Vec<String> =
            progress.addresses.iter().rev().map(|address| format!("{address}>")).collect();
        if verb == "MAIL" {
            addresses.push(">".to_owned());
        }
        return (bracket + 1, addresses);
    }
    let is_first = !rest.contains(' ');
    let all = match verb.as_str() {
        "MAIL" if is_first => vec!["FROM:<".to_owned()],
        "RCPT" if is_first => vec!["TO:<".to_owned()],
        "MAIL" | "RCPT" => offered_parameters(&verb, line, progress),
        "AUTH" if is_first => mechanisms(progress),
        ":AUTH" if is_first => logins(progress),
        "BDAT" => vec!["LAST".to_owned()],
        _ => Vec::new(),
    };
    (blank + 1, all)
}

fn mechanisms(progress: &Progress) -> Vec<String> {
    let listed = progress.offered("AUTH").unwrap_or_default();
    listed.split_ascii_whitespace().map(ToOwned::to_owned).collect()
}

/// What `:auth` can do and the server offers; before an offer, all that it can do.
fn logins(progress: &Progress) -> Vec<String> {
    let offered = mechanisms(progress);
    let is_offered =
        |name: &str| offered.is_empty() || offered.iter().any(|one| one.eq_ignore_ascii_case(name));
    let possible = login::POSSIBLE.iter().map(|mechanism| mechanism.name());
    possible
        .filter(|name| is_offered(name))
        .map(|name| format!("{} ", name.to_lowercase()))
        .collect()
}

/// What was offered and is not on the line yet.
fn offered_parameters(verb: &str, line: &str, progress: &Progress) -> Vec<String> {
    let upper = line.to_ascii_uppercase();
    let is_new = |row: &&parameters::Row| !upper.contains(&format!(" {}=", row.keyword));
    let rows = parameters::ALL.iter().filter(|row| row.verb == verb && progress.offers(row.needs));
    rows.filter(is_new)
        .flat_map(|row| row.forms)
        .filter(|form| **form != "BODY=BINARYMIME" || progress.offers("BINARYMIME"))
        .map(|form| (*form).to_owned())
        .collect()
}

/// Commands that may come now first, then all others; orders where a colon was typed.
fn verbs(line: &str, progress: &Progress) -> Vec<String> {
    if line.starts_with(':') {
        let names = ORDERS.iter().map(|(form, _)| form.split(' ').next().unwrap_or(form));
        return names.map(ToOwned::to_owned).collect();
    }
    let state = progress.expected();
    let is_typed = |step: &&sequence::Step| !step.command.starts_with('(');
    let now = sequence::next(state).filter(is_typed);
    let later =
        sequence::STEPS.iter().filter(|step| !step.allowed.contains(&state)).filter(is_typed);
    now.chain(later).map(|step| with_argument(step.command)).collect()
}

fn with_argument(command: &str) -> String {
    match command {
        "MAIL" => "MAIL FROM:<".to_owned(),
        "RCPT" => "RCPT TO:<".to_owned(),
        "EHLO" | "HELO" | "LHLO" | "AUTH" | "BDAT" | "VRFY" | "EXPN" | "ETRN" => {
            format!("{command} ")
        }
        command => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::shell::progress::Sent;

    fn ready(offers: &[&str]) -> Progress {
        let mut progress = Progress::new(false);
        progress.heard(220, &[]);
        progress.sent(Sent::command(b"EHLO a"));
        let texts: Vec<String> =
            ["a.test"].iter().chain(offers).map(|text| (*text).to_owned()).collect();
        progress.heard(250, &texts);
        progress.remember_addresses(b"RCPT TO:<bob@b.test>");
        progress.remember_addresses(b"MAIL FROM:<anna@a.test>");
        progress
    }

    #[test]
    fn what_tab_offers() {
        let offers = ["SIZE 10", "DSN", "8BITMIME", "AUTH PLAIN LOGIN"];
        for (line, start, expected) in [
            ("ma", 0, &["MAIL FROM:<"][..]),
            ("R", 0, &["RSET", "RCPT TO:<"]), // what may come now is first
            ("!rc", 1, &["RCPT TO:<"]),
            ("mail ", 5, &["FROM:<"]),
            ("MAIL f", 5, &["FROM:<"]),
            ("RCPT TO:<", 9, &["anna@a.test>", "bob@b.test>"]),
            ("RCPT TO:<b", 9, &["bob@b.test>"]),
            ("MAIL FROM:<a@a.test> si", 21, &["SIZE="]),
            ("MAIL FROM:<a@a.test> SIZE=5 B", 28, &["BODY=7BIT", "BODY=8BITMIME"]),
            ("MAIL FROM:<a@a.test> SIZE=5 S", 28, &[]), // once only; SMTPUTF8 was not offered
            ("RCPT TO:<b@b.test> O", 19, &["ORCPT=rfc822;"]),
            ("AUTH L", 5, &["LOGIN"]),
            (":auth ", 6, &["plain ", "login "]), // what is offered
            (":auth c", 6, &[]),
            (":st", 0, &[":starttls"]),
        ] {
            let (found_start, found) = candidates(line, &ready(&offers));
            assert_eq!(
                (found_start, found),
                (start, expected.iter().map(|word| (*word).to_owned()).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn content_is_nobodys_command() {
        let mut progress = ready(&["SIZE 10"]);
        progress.sent(Sent::command(b"DATA"));
        for line in ["S", "MA", "MAIL FROM:<a", "RCPT"] {
            assert_eq!(candidates(line, &progress).1, [""; 0], "{line}");
            assert_eq!(hint(line, &progress), None, "{line}");
        }
        assert_eq!(candidates(":da", &progress).1, [":data"]);
    }

    #[test]
    fn hints() {
        let progress = ready(&["SIZE 10"]);
        for (line, expected) in [
            ("", None),
            ("MA", Some("IL FROM:<")),
            ("MAIL FROM:<a", Some("nna@a.test>")),
            (":bdat", Some(" FILE [CHUNK]")),
            ("\u{e4}", None),
            ("nonsense", None),
        ] {
            assert_eq!(hint(line, &progress).as_deref(), expected, "{line}");
        }
    }
}
