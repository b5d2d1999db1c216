//! The report for people: each host's addresses side by side, the domain's records, the lists, what is amiss.

use std::{collections::BTreeMap, fmt::Write};

use diagnose::{Finding, Weight};
use transport::{
    mx::Found,
    probe::{Bisection, Notice, Offer, Record, RelayTest, Report, Trick, Visit},
};

use super::{Answer, lists};
use crate::{
    commands::analyze::{dialogue, ledger},
    output,
};

/// Addresses that fit beside each other.
const BESIDE: usize = 2;

/// All of it. `width` as for [`output::table`].
pub fn page(answer: &Answer, with_dialogue: bool, width: Option<u16>) -> String {
    let report = &answer.report;
    let mut page = String::new();
    way(&mut page, report);
    let mut rest = report.visits.as_slice();
    while let Some(first) = rest.first() {
        let own = rest.iter().take_while(|visit| visit.host == first.host).count().min(BESIDE);
        host(&mut page, &rest[..own], width);
        for visit in &rest[..own] {
            amiss(&mut page, visit, with_dialogue);
        }
        rest = &rest[own..];
    }
    records(&mut page, &report.records, width);
    listed(&mut page, answer, width);
    verdict(&mut page, answer);
    page
}

fn way(page: &mut String, report: &Report) {
    // Writing into a String does not fail, here and below.
    let _ = match &report.way {
        None => writeln!(page, "{}, port {}", output::clean(&report.subject), report.port),
        Some(way) => {
            let how = match way.found {
                Found::Mx => "by MX",
                Found::ImplicitMx => "by its own addresses",
                Found::AddressLiteral => "an address",
            };
            let count = way.hosts.len();
            let hosts = if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") };
            let name = output::clean(&report.subject);
            writeln!(
                page,
                "{name}, port {}: {hosts}, {how} (DNSSEC: {})",
                report.port, way.security
            )
        }
    };
    report.notices.iter().for_each(|own| notice(page, own, 2));
}

fn host(page: &mut String, visits: &[Visit], width: Option<u16>) {
    let Some(first) = visits.first() else { return };
    let _ = writeln!(page, "\n{} {}", first.preference, output::clean(&first.host));
    let mut head = vec![String::new()];
    head.extend(visits.iter().map(|visit| visit.address.to_string()));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = output::table(&head, width);
    for (label, cell) in ROWS {
        let cells: Vec<String> = visits.iter().map(|visit| output::clean(&cell(visit))).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let mut row = vec![(*label).to_owned()];
            row.extend(cells);
            table.add_row(row);
        }
    }
    let steps = visits.iter().map(|visit| visit.steps.len()).max().unwrap_or(0);
    for index in 0..steps {
        let command = visits.iter().find_map(|visit| Some(&visit.steps.get(index)?.command));
        let mut row = vec![output::clean(command.map_or("", String::as_str))];
        row.extend(visits.iter().map(|visit| {
            output::clean(visit.steps.get(index).map_or("", |step| step.reply.as_str()))
        }));
        table.add_row(row);
    }
    let _ = writeln!(page, "{}", output::text(&table));
}

type Cell = fn(&Visit) -> String;

/// What is told of each address, in this order; a row that nobody fills is left out.
const ROWS: &[(&str, Cell)] = &[
    ("DNSSEC", |visit| visit.security.clone()),
    ("name", name),
    ("connected in", |visit| {
        visit.connect.map_or("not connected".to_owned(), |time| format!("{} ms", time.as_millis()))
    }),
    ("greeting", |visit| match (&visit.banner, visit.greeting) {
        (Some(banner), Some(time)) => format!("{banner} (after {} ms)", time.as_millis()),
        _ => String::new(),
    }),
    ("EHLO in clear", |visit| keywords(visit.in_clear.as_ref())),
    ("EHLO under TLS", |visit| keywords(visit.under_tls.as_ref())),
    ("AUTH in clear", |visit| mechanisms(visit.in_clear.as_ref())),
    ("AUTH under TLS", |visit| mechanisms(visit.under_tls.as_ref())),
    ("TLS", tls),
    ("certificate", certificate),
    ("published", |visit| visit.policy.clone()),
    ("kept", |visit| match visit.policy_kept {
        None => String::new(),
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
    }),
    ("in MTA-STS", |visit| match visit.mta_sts_names_it {
        None => String::new(),
        Some(true) => "named".to_owned(),
        Some(false) => "not named".to_owned(),
    }),
    ("ended", |visit| visit.failure.clone().unwrap_or_default()),
];

fn name(visit: &Visit) -> String {
    let names = &visit.names;
    match (names.confirmed.is_empty(), &names.problem) {
        (false, _) => format!("{} (leads back)", names.confirmed.join(" ")),
        (true, Some(problem)) if names.names.is_empty() => problem.clone(),
        (true, Some(problem)) => {
            format!("{} (does not lead back: {problem})", names.names.join(" "))
        }
        (true, None) => String::new(),
    }
}

fn keywords(offer: Option<&Offer>) -> String {
    let Some(offer) = offer else { return String::new() };
    let is_auth = |line: &&String| {
        line.split([' ', '=']).next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("AUTH"))
    };
    let lines: Vec<&str> =
        offer.keywords.iter().filter(|line| !is_auth(line)).map(String::as_str).collect();
    if lines.is_empty() { "no extensions".to_owned() } else { lines.join(", ") }
}

fn mechanisms(offer: Option<&Offer>) -> String {
    offer.map_or_else(String::new, |offer| match offer.mechanisms() {
        none if none.is_empty() => "none".to_owned(),
        some => some.join(" "),
    })
}

fn tls(visit: &Visit) -> String {
    match &visit.tls {
        None if visit.in_clear.is_some() => "none".to_owned(),
        None => String::new(),
        Some(facts) => {
            let verified = match &facts.verified {
                Ok(how) => format!("verified {how}"),
                Err(why) => format!("not verified: {why}"),
            };
            format!("{} {}; {verified}", facts.version, facts.cipher).trim_start().to_owned()
        }
    }
}

fn certificate(visit: &Visit) -> String {
    visit.tls.as_ref().map_or_else(String::new, |facts| facts.certificate.join("; "))
}

fn amiss(page: &mut String, visit: &Visit, with_dialogue: bool) {
    if visit.findings.is_empty() && visit.notices.is_empty() && !with_dialogue {
        return;
    }
    let _ = writeln!(page, "\n  {}", visit.address);
    for finding in &visit.findings {
        told(page, visit, finding);
    }
    visit.notices.iter().for_each(|own| notice(page, own, 4));
    if let Some(test) = &visit.relay_test {
        relay_test(page, test);
    }
    if let Some(found) = &visit.bisection {
        bisection(page, found);
    }
    if with_dialogue {
        for line in &visit.dialogue {
            let _ = writeln!(page, "    {line}");
        }
    }
}

/// The tricks that worked one by one, of the others only how they were refused: `--json` has each.
fn relay_test(page: &mut String, test: &RelayTest) {
    let (accepted, refused): (Vec<&Trick>, Vec<&Trick>) =
        test.tricks.iter().partition(|trick| trick.accepted);
    let (all, some) = (test.tricks.len(), accepted.len());
    let _ = writeln!(page, "    relay test: {some} of {all} tricks accepted");
    for trick in accepted {
        let said: Vec<&str> = trick.steps.iter().map(|step| step.command.as_str()).collect();
        let line = format!("{}: {}", said.join(", "), last_reply(trick));
        let _ = writeln!(page, "      accepted {}", output::clean(&line));
    }
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for trick in refused {
        *codes.entry(last_reply(trick).get(..3).unwrap_or("no reply")).or_default() += 1;
    }
    let codes: Vec<String> =
        codes.iter().map(|(code, count)| format!("{count} by {code}")).collect();
    if !codes.is_empty() {
        let _ = writeln!(page, "      refused  {}", output::clean(&codes.join(", ")));
    }
}

fn last_reply(trick: &Trick) -> &str {
    trick.steps.last().map_or("", |step| step.reply.as_str())
}

fn bisection(page: &mut String, found: &Bisection) {
    let _ = writeln!(page, "    bisection");
    for tried in &found.tries {
        let mark = if tried.passed { "passes" } else { "breaks" };
        let how = match tried.without.is_empty() {
            true => "with everything".to_owned(),
            false => format!("without {}", tried.without.join(", ")),
        };
        let size = output::size(tried.octets as u64);
        let _ = writeln!(page, "      {mark} {how}, {size}: {}", output::clean(&tried.end));
    }
}

/// A finding, under the line that decided.
fn told(page: &mut String, visit: &Visit, finding: &Finding) {
    if let Some(line) = finding.line.and_then(|line| visit.dialogue.get(line)) {
        let _ = writeln!(page, "    {}", output::clean(line).trim_start());
    }
    dialogue::told(page, finding, 4, output::colour());
}

fn notice(page: &mut String, notice: &Notice, indent: usize) {
    let mark = match notice.weight {
        Weight::Failure => "failure",
        Weight::Fault => "fault",
        Weight::Remark => "remark",
    };
    let mut text = format!("{mark}: {}", output::clean(&notice.what));
    if !notice.remedy.is_empty() {
        text.push_str(&format!(" -- {}", output::clean(&notice.remedy)));
    }
    let width = output::prose_width().saturating_sub(indent + 2).max(40);
    for line in ledger::wrapped(&text, width) {
        let _ = writeln!(page, "{:indent$}| {line}", "");
    }
}

fn records(page: &mut String, records: &[Record], width: Option<u16>) {
    if records.is_empty() {
        return;
    }
    let mut table = output::table(&["record", "at", "says"], width);
    for record in records {
        let mut says: Vec<String> = record.texts.iter().map(|text| output::clean(text)).collect();
        if !record.remark.is_empty() {
            says.push(format!("({})", output::clean(&record.remark)));
        }
        table.add_row([record.kind.to_owned(), output::clean(&record.name), says.join("\n")]);
    }
    let _ = writeln!(page, "\n{}", output::text(&table));
    for record in records {
        for own in &record.notices {
            let what = format!("{}: {}", record.kind, own.what);
            notice(page, &Notice { what, ..own.clone() }, 2);
        }
    }
}

fn listed(page: &mut String, answer: &Answer, width: Option<u16>) {
    let Some(asked) = &answer.lists else { return };
    if let Some(problem) = &asked.problem {
        let own = Notice::new(Weight::Fault, format!("no list was asked: {problem}"), "");
        page.push('\n');
        return notice(page, &own, 2);
    }
    let address = asked.address.map_or_else(String::new, |address| address.to_string());
    let mut table = output::table(&["list", &format!("of {address}")], width);
    for listing in &asked.listings {
        table.add_row([output::clean(&listing.zone), output::clean(&lists::words(listing))]);
    }
    let _ = writeln!(page, "\n{}", output::text(&table));
}

fn verdict(page: &mut String, answer: &Answer) {
    let _ = writeln!(
        page,
        "\n{}",
        match answer.worst() {
            None => "nothing is amiss",
            Some(Weight::Remark) => "nothing is amiss but what is remarked above",
            Some(Weight::Fault) => "mail passes, and something is wrong: see the faults above",
            Some(Weight::Failure) => "something is badly wrong: see the failures above",
        }
    );
}
