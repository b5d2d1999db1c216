//! From differences to findings: who did it, what followed, what to do.

use super::{Change, Difference, Direction, Row};
use crate::{
    Confidence, Finding, Party, Session, Weight,
    session::{Event, Kind, Line},
};

/// One finding for each kind of change, the earliest first: what came first is the cause.
pub(super) fn findings(
    near: &Session,
    far: &Session,
    rows: &[Row],
    differences: &[Difference],
) -> Vec<Finding> {
    let mut kinds: Vec<(Change, Direction)> = Vec::new();
    for difference in differences {
        let kind = (difference.change, difference.direction);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let refusals = refusals(near);
    let mut findings: Vec<Finding> = kinds
        .into_iter()
        .map(|(change, direction)| {
            let of_kind: Vec<&Difference> = differences
                .iter()
                .filter(|difference| {
                    (difference.change, difference.direction) == (change, direction)
                })
                .collect();
            let first = position(rows, of_kind[0]);
            let followed: Vec<usize> =
                refusals.iter().copied().filter(|&line| after(rows, line, first)).collect();
            finding(change, &of_kind, followed, broke_off(near, far))
        })
        .collect();
    // What a refusal followed from is told once, by the first that explains it.
    let mut told: Vec<usize> = Vec::new();
    for finding in &mut findings {
        finding.consequences.retain(|line| !told.contains(line));
        told.extend(&finding.consequences);
    }
    findings
}

fn finding(
    change: Change,
    differences: &[&Difference],
    consequences: Vec<usize>,
    is_broken_off: bool,
) -> Finding {
    let first = differences[0];
    let all: Vec<&str> = differences.iter().map(|difference| difference.what.as_str()).collect();
    let towards = match first.direction {
        Direction::ClientToServer => "on its way to the server",
        Direction::ServerToClient => "on its way to the client",
    };
    let confidence = differences
        .iter()
        .map(|difference| difference.confidence)
        .min()
        .unwrap_or(Confidence::Possible);
    let weight = match change {
        Change::Delayed => Weight::Remark,
        _ if !consequences.is_empty() || is_broken_off => Weight::Failure,
        _ => Weight::Fault,
    };
    Finding {
        rule: rule(change).to_owned(),
        what: all.join("; "),
        line: first.near,
        command: None,
        who: Party::Between,
        confidence,
        why: format!("{} {towards}: {}", meaning(change), proof(change)),
        remedy: remedy(change).to_owned(),
        retry_helps: false,
        weight,
        consequences,
        next_test: (confidence < Confidence::Certain).then(|| {
            "Capture again on both sides until after the session's end: the evidence of one side ends \
             before it could show the line."
                .to_owned()
        }),
    }
}

/// The stable word for each change.
fn rule(change: Change) -> &'static str {
    match change {
        Change::Removed => "between-removed",
        Change::Added => "between-added",
        Change::Altered => "between-altered",
        Change::Masked => "between-masked",
        Change::KeywordMasked => "between-keyword-masked",
        Change::KeywordRemoved => "between-keyword-removed",
        Change::KeywordAdded => "between-keyword-added",
        Change::ContentAltered => "between-content-altered",
        Change::EndOfContentLost => "between-end-of-content-lost",
        Change::LargeSegmentsLost => "between-large-segments-lost",
        Change::ResetForged => "between-reset-forged",
        Change::ClosedBetween => "between-closed",
        Change::CertificateReplaced => "between-certificate-replaced",
        Change::Delayed => "between-delayed",
        Change::AnsweredByAnother => "between-answered-by-another",
    }
}

fn meaning(change: Change) -> &'static str {
    match change {
        Change::Removed => "Something was taken out",
        Change::Added => "Something was put in",
        Change::Altered => "A line was changed",
        Change::Masked => "A line was overwritten, its length kept,",
        Change::KeywordMasked => "EHLO keywords were overwritten, their length kept,",
        Change::KeywordRemoved => "EHLO keywords were taken out",
        Change::KeywordAdded => "EHLO keywords were put in",
        Change::ContentAltered => "The content was changed or cut short",
        Change::EndOfContentLost => "The end of the content was lost",
        Change::LargeSegmentsLost => "Large packets were lost",
        Change::ResetForged => "A reset was forged",
        Change::ClosedBetween => "The connection was closed",
        Change::CertificateReplaced => "TLS was broken open and the certificate replaced",
        Change::Delayed => "A line was held up",
        Change::AnsweredByAnother => "Another server answered",
    }
}

fn proof(change: Change) -> &'static str {
    match change {
        Change::Masked | Change::KeywordMasked => {
            "both sides have the line, with other letters of the same number; that is how a firewall \
             does it that inspects the stream in passing."
        }
        Change::LargeSegmentsLost => {
            "the near side shows them sent again and again, the far one never; small ones pass. A box \
             on the way drops what is too big for it and its notice (ICMP) does not come back."
        }
        Change::Delayed => "both sides have it, and the other lines were quicker.",
        _ => "one side has what the other has not, and neither has a gap there.",
    }
}

fn remedy(change: Change) -> &'static str {
    match change {
        Change::LargeSegmentsLost => {
            "Let ICMP `fragmentation needed` (type 3 code 4) and ICMPv6 `packet too big` pass, or lower the \
             segment size (MSS clamping) on the box between the two places."
        }
        Change::CertificateReplaced => {
            "Exempt this traffic from TLS inspection on the box between the two places: DANE and MTA-STS \
             rightly refuse its certificate."
        }
        Change::Delayed => "Look at the load and the scanners of the boxes between the two places.",
        Change::AnsweredByAnother => {
            "Find the transparent proxy between the two places (often the provider's, for port 25), and have \
             this client exempted, or send by submission (587, 465) or a VPN."
        }
        _ => {
            "Neither server is at fault. Look at what stands between the two places where the evidence was \
             gathered: switch off its mail inspection (`inspect esmtp`, `fixup protocol smtp`, SMTP scanning) for \
             these servers. Capture on either side of each box in turn if there are several."
        }
    }
}

/// The near side's refusals, as lines.
fn refusals(near: &Session) -> Vec<usize> {
    let is_refusal = |line: &Line| {
        matches!(line.kind, Kind::Reply(_)) && matches!(line.text.first(), Some(b'4' | b'5'))
    };
    (0..near.lines.len()).filter(|&index| is_refusal(&near.lines[index])).collect()
}

/// Whether the client lost the connection without having said QUIT.
fn broke_off(near: &Session, far: &Session) -> bool {
    let quits = near.lines.iter().chain(&far.lines).any(|line| {
        matches!(line.kind, Kind::Command(_))
            && line.text.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"QUIT"))
    });
    let ends = near.lines.iter().any(|line| {
        matches!(line.kind, Kind::Event(Event::Reset | Event::Closed | Event::EvidenceEnds))
    });
    ends && !quits
}

fn position(rows: &[Row], difference: &Difference) -> usize {
    let is_it = |row: &Row| (row.near, row.far) == (difference.near, difference.far);
    rows.iter().position(is_it).unwrap_or(rows.len())
}

/// Whether the near line stands at or behind that row.
fn after(rows: &[Row], line: usize, row: usize) -> bool {
    rows.iter().position(|other| other.near == Some(line)).is_some_and(|at| at >= row)
}
