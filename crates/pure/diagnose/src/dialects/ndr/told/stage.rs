//! The stage, where the words have it.

use smtp::Stage;

type Rows = [(&'static str, Stage)];

/// What mailers say of a command that was answered, in lower case, and the stage. The precise before the general.
const COMMANDS: [(&str, Stage); 77] = [
    ("in reply to end of data", Stage::EndOfData),
    ("in reply to rcpt to", Stage::Rcpt),
    ("in reply to mail from", Stage::Mail),
    ("in reply to data", Stage::Data),
    ("in reply to ehlo", Stage::Ehlo),
    ("in reply to helo", Stage::Ehlo),
    ("in reply to lhlo", Stage::Ehlo),
    ("in reply to starttls", Stage::StartTls),
    ("in reply to auth", Stage::Auth),
    ("in reply to message body", Stage::EndOfData),
    ("while sending end of data", Stage::EndOfData),
    ("while sending message body", Stage::Content),
    ("while sending rcpt to", Stage::Rcpt),
    ("while sending mail from", Stage::Mail),
    ("while sending data command", Stage::Data),
    ("while performing the ehlo handshake", Stage::Ehlo),
    ("while performing the helo handshake", Stage::Ehlo),
    ("while performing the lhlo handshake", Stage::Ehlo),
    ("while receiving the initial server greeting", Stage::Greeting),
    ("refused to talk to me", Stage::Greeting),
    ("remote mail server after rcpt to", Stage::Rcpt),
    ("remote mail server after mail from", Stage::Mail),
    ("remote mail server after end of data", Stage::EndOfData),
    ("remote mail server after data", Stage::Data),
    ("remote mail server after initial connection", Stage::Greeting),
    ("remote mail server after ehlo", Stage::Ehlo),
    ("remote mail server after helo", Stage::Ehlo),
    ("remote mail server after starttls", Stage::StartTls),
    ("remote mail server after auth", Stage::Auth),
    ("remote mail server after pipelined rcpt to", Stage::Rcpt),
    ("remote mail server after pipelined mail from", Stage::Mail),
    ("remote mail server after pipelined end of data", Stage::EndOfData),
    ("remote mail server after pipelined data", Stage::Data),
    ("remote server after rcpt", Stage::Rcpt),
    ("remote server after mail", Stage::Mail),
    ("remote server after transfer of mail text", Stage::EndOfData),
    ("remote server after data", Stage::Data),
    ("remote server after helo", Stage::Ehlo),
    ("remote server after ehlo", Stage::Ehlo),
    ("remote server greeting", Stage::Greeting),
    ("remote mailer after rcpt to", Stage::Rcpt),
    ("remote mailer after mail from", Stage::Mail),
    ("remote mailer after end of data", Stage::EndOfData),
    ("remote mailer after data", Stage::Data),
    ("remote mailer after initial connection", Stage::Greeting),
    ("remote mailer after ehlo", Stage::Ehlo),
    ("remote mailer after helo", Stage::Ehlo),
    ("did not like our rcpt to", Stage::Rcpt),
    ("did not like our mail from", Stage::Mail),
    ("did not like our final data", Stage::EndOfData),
    ("did not like our data", Stage::Data),
    ("did not like our ehlo", Stage::Ehlo),
    ("did not like our helo", Stage::Ehlo),
    ("did not like our starttls", Stage::StartTls),
    ("does not like recipient", Stage::Rcpt),
    ("sender was rejected", Stage::Mail),
    ("failed after i sent the message", Stage::EndOfData),
    ("failed on data command", Stage::Data),
    ("but my name was rejected", Stage::Ehlo),
    ("but greeting failed", Stage::Greeting),
    ("(error following rcpt command)", Stage::Rcpt),
    ("(error following mail command)", Stage::Mail),
    ("(error following data command)", Stage::Data),
    ("refused to accept your message (data)", Stage::Data),
    ("rcpt to response", Stage::Rcpt),
    ("mail from response", Stage::Mail),
    ("rcpt to generated following response", Stage::Rcpt),
    ("mail from generated following response", Stage::Mail),
    ("helo generated following response", Stage::Ehlo),
    ("body of message generated response", Stage::EndOfData),
    ("smtp:rcpt host", Stage::Rcpt),
    ("[rcpt_to]", Stage::Rcpt),
    ("[mail_from]", Stage::Mail),
    ("said after rcpt", Stage::Rcpt),
    ("said after data", Stage::EndOfData),
    ("rejected by server for rcpt", Stage::Rcpt),
    ("smtp module(domain", Stage::Rcpt),
];

/// The same of what went wrong before any command. A server may say these words as well, in its reply to one.
const BEFORE: [(&str, Stage); 12] = [
    ("unable to establish an smtp connection", Stage::Connect),
    ("wasn't able to establish an smtp connection", Stage::Connect),
    ("connect to ", Stage::Connect),
    ("did not accept our requests to connect", Stage::Connect),
    ("during user open with", Stage::Connect),
    ("name service error", Stage::Routing),
    ("dns error: ", Stage::Routing),
    ("couldn't find any host", Stage::Routing),
    ("couldn't find a mail exchanger", Stage::Routing),
    ("resolver.", Stage::Routing),
    ("unrouteable address", Stage::Routing),
    ("loops back to myself", Stage::Routing),
];

/// Gmail's numbers, of which these are known from replies that leave no other stage.
const GMAIL_STATES: [(&str, Stage); 6] = [
    ("(state 8)", Stage::Auth),
    ("(state 9)", Stage::Auth),
    ("(state 12)", Stage::Mail),
    ("(state 14)", Stage::Rcpt),
    ("(state 15)", Stage::Data),
    ("(state 18)", Stage::EndOfData),
];

/// The stage that one of the texts names: the command that was answered, else what came before any.
pub(in super::super) fn find<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Stage> {
    let lower: Vec<String> = texts.map(str::to_ascii_lowercase).collect();
    let named = |rows: &Rows| {
        let says = |text: &String| rows.iter().find(|(phrase, _)| text.contains(phrase));
        lower.iter().find_map(says).map(|(_, stage)| *stage)
    };
    named(&COMMANDS).or_else(|| named(&GMAIL_STATES)).or_else(|| named(&BEFORE))
}

/// The stage of `line` (a reply, as it stands) in a dialogue of `>>>` and `<<<` lines.
///
/// Sendmail shows the last command that it had sent when the reply was read. With pipelining that is
/// DATA, though the reply answers RCPT; that it is so shows where more replies follow, the last of
/// them to DATA itself.
pub(in super::super) fn in_dialogue(dialogue: &str, code: u16, text: &str) -> Option<Stage> {
    let lines: Vec<&str> = dialogue.lines().map(str::trim).collect();
    let wanted = |line: &str| {
        let reply = line.strip_prefix("<<<").map(str::trim_start)?;
        let same = reply.starts_with(&code.to_string());
        let first = text.split_whitespace().take(4);
        Some(same && first.clone().all(|word| reply.contains(word)))
    };
    let at = lines.iter().position(|line| wanted(line) == Some(true)).or_else(|| {
        let of_code = |line: &&str| {
            line.strip_prefix("<<<")
                .is_some_and(|reply| reply.trim_start().starts_with(&code.to_string()))
        };
        lines.iter().position(of_code)
    })?;
    let Some(command) = lines[..at].iter().rev().find_map(|line| line.strip_prefix(">>>")) else {
        // Sendmail names whom it talks to before it says anything itself.
        let is_talking = lines[..at].iter().any(|line| line.starts_with("... while talking to"));
        return is_talking.then_some(Stage::Greeting);
    };
    let stage = of_command(command.trim())?;
    let rest = lines[at + 1..].iter().take_while(|line| !line.starts_with(">>>"));
    let code_of =
        |line: &&str| line.strip_prefix("<<<")?.trim_start().get(..3)?.parse::<u16>().ok();
    let is_followed = rest.filter_map(code_of).any(|later| later == 503 || later == 554);
    let is_pipelined = stage == Stage::Data && is_followed;
    Some(match stage {
        _ if is_pipelined => Stage::Rcpt,
        Stage::Data => Stage::EndOfData,
        stage => stage,
    })
}

fn of_command(command: &str) -> Option<Stage> {
    const VERBS: [(&str, Stage); 10] = [
        ("rcpt", Stage::Rcpt),
        ("mail", Stage::Mail),
        ("data", Stage::Data),
        ("ehlo", Stage::Ehlo),
        ("helo", Stage::Ehlo),
        ("lhlo", Stage::Ehlo),
        ("starttls", Stage::StartTls),
        ("auth", Stage::Auth),
        (".", Stage::EndOfData),
        ("bdat", Stage::EndOfData),
    ];
    let lower = command.to_ascii_lowercase();
    VERBS.iter().find(|(verb, _)| lower.starts_with(verb)).map(|(_, stage)| *stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_reached() {
        let find = |text: &str| find([text].into_iter());
        for (phrase, stage) in COMMANDS.iter().chain(&GMAIL_STATES).chain(&BEFORE) {
            assert_eq!(find(&format!("it said {phrase} x")), Some(*stage), "{phrase}");
        }
        assert_eq!(find("user unknown"), None);
    }

    #[test]
    fn the_command_that_was_answered_counts_before_what_the_answer_speaks_of() {
        let texts = [
            "550 Unrouteable address",
            "mx said: 550 Unrouteable address (in reply to RCPT TO command)",
        ];
        assert_eq!(find(texts.into_iter()), Some(Stage::Rcpt));
    }

    #[test]
    fn pipelined_dialogues() {
        for (dialogue, code, stage) in [
            (">>> RCPT To:<b@b.test>\n<<< 550 no", 550, Some(Stage::Rcpt)),
            (">>> DATA\n<<< 550 no\n<<< 503 need RCPT", 550, Some(Stage::Rcpt)),
            (">>> DATA\n<<< 550 no", 550, Some(Stage::EndOfData)),
            ("<<< 550 no", 550, None),
            ("... while talking to mx.b.test.:\n<<< 550 no", 550, Some(Stage::Greeting)),
        ] {
            assert_eq!(in_dialogue(dialogue, code, "no"), stage, "{dialogue}");
        }
    }
}
