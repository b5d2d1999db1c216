//! `explain --sequence`: what may follow what, and each command's replies.

use std::process::ExitCode;

use diagnose::{
    meanings,
    sequence::{self, STEPS, State, Step},
};
use smtp::Stage;

use super::{super::send::Failed, EX_USAGE};
use crate::{output, problem::Problem};

pub fn run(command: &str, json: bool) -> Result<ExitCode, Failed> {
    let steps: Vec<&Step> = match command {
        "" => STEPS.iter().collect(),
        command => match sequence::of(command) {
            Some(step) => vec![step],
            None => {
                let known: Vec<&str> = STEPS.iter().map(|step| step.command).collect();
                let problem = Problem::new(format!("`{command}` is no command of SMTP"))
                    .help(format!("one of {}", known.join(" ")));
                return Err(Failed { problem, status: EX_USAGE });
            }
        },
    };
    match (json, steps.as_slice()) {
        (true, steps) => steps.iter().for_each(output::json),
        (false, [step]) => crate::output::put_text(one(step, output::width())),
        (false, steps) => crate::output::put_text(all(steps, output::width())),
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole session.
pub fn all(steps: &[&Step], width: Option<u16>) -> String {
    let mut table =
        output::table(&["command", "go on", "done", "refused", "may be followed by"], width);
    for step in steps {
        table.add_row([
            step.command.to_owned(),
            codes(step.intermediate),
            codes(step.success),
            codes(step.errors),
            followers(step),
        ]);
    }
    format!(
        "{}\n\nAny command may be answered 500 (not understood), 501 (arguments) or 421 (the server is going away).\n\
         4yz: try the same later; 5yz: the same will not pass. Clients decide by the first digit.\n\
         More: mailwright explain --sequence COMMAND\n",
        output::text(&table)
    )
}

/// One command, each code with its meaning at that step.
pub fn one(step: &Step, width: Option<u16>) -> String {
    let mut page = format!("{}\n  {}\n", step.form, step.about);
    if !step.needs.is_empty() {
        page.push_str(&format!("  only if the EHLO reply lists {}\n", step.needs));
    }
    let before: Vec<&str> = STEPS
        .iter()
        .filter(|other| other.leads.is_some_and(|state| step.allowed.contains(&state)))
        .map(|other| other.command)
        .collect();
    page.push_str(&format!("  may come after: {}\n", before.join(" ")));
    page.push_str(&format!("  may be followed by: {}\n", followers(step)));
    page.push_str(&format!("  {}\n\n", step.source));
    let mut table = output::table(&["code", "", "means"], width);
    let kinds = [(step.intermediate, "go on"), (step.success, "done"), (step.errors, "refused")];
    for (codes, kind) in kinds {
        for &code in codes {
            let kind = if kind == "refused" && code < 500 { "not now" } else { kind };
            let meaning = meanings::of_code(code, stage(step));
            table.add_row([code.to_string(), kind.to_owned(), meaning.means.to_owned()]);
        }
    }
    page.push_str(&output::text(&table));
    page.push('\n');
    page
}

fn followers(step: &Step) -> String {
    match step.leads {
        None => "whatever might before".to_owned(),
        Some(State::Closed) => "-".to_owned(),
        Some(_) => sequence::followers(step).join(" "),
    }
}

fn codes(codes: &[u16]) -> String {
    if codes.is_empty() {
        return "-".to_owned();
    }
    codes.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

/// The step of a session that a command belongs to.
fn stage(step: &Step) -> Stage {
    match step.command {
        "(connect)" => Stage::Greeting,
        "EHLO" | "HELO" | "LHLO" => Stage::Ehlo,
        "STARTTLS" => Stage::StartTls,
        "AUTH" | "(response)" => Stage::Auth,
        "MAIL" => Stage::Mail,
        "RCPT" => Stage::Rcpt,
        "DATA" => Stage::Data,
        "(content)" | "BDAT" | "BURL" => Stage::EndOfData,
        _ => Stage::Other,
    }
}
