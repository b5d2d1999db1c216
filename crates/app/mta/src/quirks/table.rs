//! The table of quirks. A row is added with what was seen, and where it can be read up.

use std::time::Duration;

use super::{Does, Quirk, Says};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// Hosts' own rows first: of two that fit a reply, the first one counts.
pub const TABLE: &[Quirk] = &[
    Quirk {
        name: "google-rate",
        hosts: &["*.google.com", "*.googlemail.com"],
        does: Does::Rest(
            Says {
                statuses: &[(7, 28, 28)],
                words: &["unusual rate of", "rate limited", "try again later, closing connection"],
            },
            minutes(10),
        ),
        why: "Gmail counts by address, network and domain: 421 4.7.28 comes to every message until it is \
              quiet, and trying on lowers what it allows (support.google.com/mail/?p=UnsolicitedRateLimitError)",
    },
    Quirk {
        name: "microsoft-rate",
        hosts: &[
            "*.protection.outlook.com",
            "*.protection.partner.outlook.cn",
            "*.protection.office365.us",
            "*.mx.microsoft",
            "*.hotmail.com",
        ],
        does: Does::Rest(
            Says {
                statuses: &[(7, 500, 699)],
                words: &[
                    "server busy",
                    "rp-001",
                    "rp-002",
                    "rp-003",
                    "rate limited due to ip reputation",
                    "exceeded the maximum number of connections",
                    "exceeded the rate limit",
                    "exceeded the connection limit",
                ],
            },
            minutes(10),
        ),
        why: "Exchange Online's 451 4.7.500 to 4.7.699 and Outlook.com's RP-001 to RP-003 throttle an address, \
              whatever the message; \"Server busy\" means the sender, not the server",
    },
    Quirk {
        name: "yahoo-messages",
        hosts: &["*.yahoodns.net"],
        does: Does::Messages(20),
        why: "Yahoo takes 20 messages over a connection, and then closes it without a code \
              (help.yahoo.com/kb/SLN3433.html)",
    },
    Quirk {
        name: "yahoo-rate",
        hosts: &["*.yahoodns.net"],
        does: Does::Rest(
            Says {
                statuses: &[(16, 50, 59)],
                words: &["[ts0", "[tss0", "[tss1", "temporarily deferred due to"],
            },
            minutes(20),
        ),
        why: "Yahoo's [TS01] to [TSS13] defer all mail of an address for hours: \"unexpected volume or user \
              complaints\" (senders.yahooinc.com/smtp-error-codes)",
    },
    Quirk {
        name: "orange-connections",
        hosts: &["smtp-in.orange.fr", "*.orange.fr", "*.wanadoo.fr"],
        does: Does::Connections(3),
        why: "Orange and Wanadoo share servers that take three connections of an address at once, and answer \
              421 OFR004_104 \"Too many connections, slow down\" to more",
    },
    Quirk {
        name: "qq-frequency",
        hosts: &["*.qq.com"],
        does: Does::RestThough(Says { statuses: &[], words: &["frequency limited"] }, minutes(20)),
        why: "QQ and Tencent's exmail say 550 \"Ip frequency limited\", \"Connection frequency limited\" or \"Domain frequency \
              limited\" to who sends too fast, and take the same mail later (service.mail.qq.com)",
    },
    Quirk {
        name: "too-many-connections",
        hosts: &[],
        does: Does::Rest(
            Says {
                statuses: &[],
                words: &[
                    "too many connections",
                    "too many concurrent",
                    "too many sessions",
                    "concurrent connections",
                    "connection limit",
                    "connection rate limit",
                    "concurrency limit",
                ],
            },
            minutes(1),
        ),
        why: "many servers count connections by address, and answer 421 or 452 to the next one (sendmail's \
              452 4.3.2 \"Connection rate limit exceeded\"): fewer help, another try at once does not",
    },
    Quirk {
        name: "rate-words",
        hosts: &[],
        does: Does::Rest(
            Says {
                statuses: &[],
                words: &[
                    "slow down",
                    "rate limit",
                    "ratelimit",
                    "rate-limit",
                    "throttl",
                    "too fast",
                    "reached its limit for processing requests from your host",
                ],
            },
            minutes(5),
        ),
        why: "they name what we send altogether; the next message would hear the same, and be counted",
    },
    Quirk {
        name: "messages-per-connection",
        hosts: &[],
        does: Does::NewConnection(Says {
            statuses: &[],
            words: &[
                "too many messages",
                "messages per connection",
                "messages per session",
                "messages in this session",
                "messages in this connection",
                "message limit",
                "too many transactions",
            ],
        }),
        why: "servers without LIMITS (RFC 9422) say only at the next MAIL that a connection is used up: 421 or \
              452, or a smarthost's 451",
    },
    Quirk {
        name: "auth-with-equals",
        hosts: &[],
        does: Does::Always(
            "mechanisms are read from `AUTH=LOGIN` as from `AUTH LOGIN`, and counted once",
        ),
        why: "servers offered AUTH so before RFC 2554, and some still offer both for old clients",
    },
    Quirk {
        name: "quit-unanswered",
        hosts: &[],
        does: Does::Always("nobody waits for the answer to QUIT, nor minds what it is"),
        why: "some servers close at once, others after minutes; the message is theirs by then",
    },
    Quirk {
        name: "no-close-notify",
        hosts: &[],
        does: Does::Always("TLS that ends without a close_notify has ended like any connection"),
        why: "many servers just close; nothing rests on it, as every reply ends with its own line",
    },
    Quirk {
        name: "no-literal-in-ehlo",
        hosts: &[],
        does: Does::Always("EHLO names a domain, never an address in brackets"),
        why: "RFC 5321 section 4.1.1.1 allows the literal, and many servers refuse it (501, 550, 504)",
    },
];
