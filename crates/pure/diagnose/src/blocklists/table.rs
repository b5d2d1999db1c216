//! The rows. Where one row's phrase holds another's, the narrower one stands first.
//!
//! Facts as the lists' own pages, and those who ask many lists, state them in autumn 2026. Not confirmed by
//! any page that could be read are the look-up pages of GBUdb and URIBL, and the rows of SpamCop and
//! blocklist.de.

use super::{
    Blocklist, Code,
    Kind::{self, Allow, Block, Closed},
    Reading::{Listed, Refused},
    Subject::{self, Address, Domain, Either},
};

const SPAMHAUS: &str = "https://check.spamhaus.org/results/?query={}";

const ZEN: &[Code] = &[
    last(2, "SBL: a known source of spam"),
    last(3, "CSS: a sender of low reputation"),
    listed([127, 0, 0, 4], [127, 0, 0, 7], "XBL: a hijacked machine"),
    last(9, "DROP: a network in criminal hands"),
    listed([127, 0, 0, 10], [127, 0, 0, 11], "PBL: an end user's address"),
    last(30, "BCL: a server that steers a botnet"),
];

const DBL: &[Code] = &[
    listed([127, 0, 1, 2], [127, 0, 1, 3], "a domain of low reputation"),
    listed([127, 0, 1, 4], [127, 0, 1, 4], "a domain of phishing"),
    listed([127, 0, 1, 5], [127, 0, 1, 5], "a domain of malware"),
    listed([127, 0, 1, 6], [127, 0, 1, 6], "a domain that steers a botnet"),
    listed([127, 0, 1, 102], [127, 0, 1, 106], "an honest domain that is abused"),
    refused([127, 0, 1, 255], [127, 0, 1, 255], "it lists domains and was asked for an address"),
];

const ZRD: &[Code] =
    &[listed([127, 0, 2, 2], [127, 0, 2, 24], "a domain first seen within the last day")];

/// The third octet is the trade, the fourth how far it is trusted.
const DNSWL: &[Code] = &[
    refused([127, 0, 0, 255], [127, 0, 255, 255], "too many queries"),
    listed([127, 0, 2, 0], [127, 0, 255, 0], "trust: none"),
    listed([127, 0, 2, 1], [127, 0, 255, 1], "trust: low"),
    listed([127, 0, 2, 2], [127, 0, 255, 2], "trust: medium"),
    listed([127, 0, 2, 3], [127, 0, 255, 3], "trust: high"),
];

const HOSTKARMA: &[Code] = &[
    last(1, "a good sender"),
    last(2, "a source of spam"),
    last(3, "a sender of both spam and honest mail"),
    last(4, "a source of some spam"),
    last(5, "not to be blocked"),
];

const ABUSIX: &[Code] = &[
    listed([127, 0, 0, 2], [127, 0, 0, 3], "listed as a source of spam"),
    last(4, "listed as a hijacked machine"),
    listed([127, 0, 0, 11], [127, 0, 0, 12], "listed as an end user's address"),
    last(200, "listed by hand as a source of spam"),
];

/// Every list that is known here.
pub const LISTS: &[Blocklist] = &[
    row(
        "dbl.spamhaus.org",
        &["dbl.spamhaus"],
        "Spamhaus DBL",
        "a list of domains seen in spam",
        SPAMHAUS,
    )
    .of(Domain)
    .codes(DBL),
    row(
        "zrd.spamhaus.org",
        &["zrd.spamhaus"],
        "Spamhaus ZRD",
        "a list of domains that are a few hours old",
        SPAMHAUS,
    )
    .of(Domain)
    .codes(ZRD),
    row(
        "pbl.spamhaus.org",
        &["pbl.spamhaus"],
        "Spamhaus PBL",
        "a list of dial-up and end-user addresses that should send through their provider",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "sbl-xbl.spamhaus.org",
        &["sbl-xbl.spamhaus"],
        "Spamhaus SBL and XBL",
        "a list of spam sources and hijacked machines, long since replaced by zen.spamhaus.org",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "xbl.spamhaus.org",
        &["xbl.spamhaus"],
        "Spamhaus XBL",
        "a list of addresses with hijacked machines",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "sbl.spamhaus.org",
        &["sbl.spamhaus"],
        "Spamhaus SBL",
        "a list of spam sources",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "zen.spamhaus.org",
        &["zen.spamhaus", "zen.dq.spamhaus"],
        "Spamhaus ZEN",
        "several lists in one: spam sources, hijacked machines, end-user addresses",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "",
        &["spamhaus"],
        "Spamhaus",
        "a family of lists",
        SPAMHAUS,
    )
    .of(Either),
    row(
        "cbl.abuseat.org",
        &["abuseat"],
        "CBL",
        "a list of addresses with hijacked machines, now a part of Spamhaus XBL",
        SPAMHAUS,
    )
    .codes(ZEN),
    row(
        "bl.spamcop.net",
        &["spamcop"],
        "SpamCop",
        "a list fed by users' reports, from which an address drops out by itself",
        "https://www.spamcop.net/w3m?action=checkblock&ip={}",
    ),
    row(
        "b.barracudacentral.org",
        &["barracuda"],
        "Barracuda",
        "a list of senders with a poor reputation",
        "https://www.barracudacentral.org/lookups",
    ),
    row(
        "psbl.surriel.com",
        &["psbl"],
        "PSBL",
        "a list of addresses that sent to spam traps",
        "https://psbl.org/listing?ip={}",
    ),
    row(
        "wl.mailspike.net",
        &["wl.mailspike"],
        "Mailspike whitelist",
        "a list of senders with a good reputation",
        "https://mailspike.io/ip_verify",
    )
    .kind(Allow),
    row(
        "bl.mailspike.net",
        &["mailspike"],
        "Mailspike",
        "a list of senders with a poor reputation",
        "https://mailspike.io/ip_verify",
    ),
    row(
        "dnsbl-1.uceprotect.net",
        &["dnsbl-1.uceprotect", "uceprotect-level1", "uceprotect level 1"],
        "UCEPROTECT level 1",
        "a list of addresses that sent to spam traps",
        "https://www.uceprotect.net/en/rblcheck.php",
    ),
    row(
        "dnsbl-2.uceprotect.net",
        &["dnsbl-2.uceprotect", "uceprotect-level2", "uceprotect level 2"],
        "UCEPROTECT level 2",
        "a list of whole networks in which several addresses sent spam",
        "https://www.uceprotect.net/en/rblcheck.php",
    ),
    row(
        "dnsbl-3.uceprotect.net",
        &["dnsbl-3.uceprotect", "uceprotect-level3", "uceprotect level 3"],
        "UCEPROTECT level 3",
        "a list of whole providers, innocent customers included",
        "https://www.uceprotect.net/en/rblcheck.php",
    ),
    row(
        "",
        &["uceprotect"],
        "UCEPROTECT",
        "a list that also lists whole networks and providers",
        "https://www.uceprotect.net/en/rblcheck.php",
    ),
    row(
        "combined.mail.abusix.zone",
        &["abusix"],
        "Abusix",
        "a list of senders with a poor reputation",
        "https://lookup.abusix.com/search?q={}",
    )
    .codes(ABUSIX),
    row(
        "multi.surbl.org",
        &["surbl"],
        "SURBL",
        "a list of domains in spam",
        "https://surbl.org/surbl-analysis",
    )
    .of(Domain),
    row(
        "multi.uribl.com",
        &["uribl"],
        "URIBL",
        "a list of domains in spam",
        "https://lookup.uribl.com/",
    )
    .of(Domain),
    row(
        "dnsbl.dronebl.org",
        &["dronebl"],
        "DroneBL",
        "a list of open proxies and hijacked machines",
        "https://dronebl.org/lookup?ip={}",
    ),
    row(
        "bl.blocklist.de",
        &["blocklist.de"],
        "blocklist.de",
        "a list of addresses that attacked servers",
        "https://www.blocklist.de/en/view.html?ip={}",
    ),
    row(
        "db.wpbl.info",
        &["wpbl.info"],
        "WPBL",
        "a list that was closed in 2024; the server's configuration is out of date",
        "",
    )
    .kind(Closed(2024)),
    row(
        "all.spamrats.com",
        &["spamrats"],
        "SpamRATS",
        "a list of end-user addresses and of spam sources",
        "https://www.spamrats.com/lookup.php?ip={}",
    ),
    row(
        "ubl.unsubscore.com",
        &["unsubscore", "lashback"],
        "LashBack UBL",
        "a list of senders to addresses harvested from unsubscribe lists, reported to be offline",
        "",
    ),
    row(
        "ips.backscatterer.org",
        &["backscatterer"],
        "Backscatterer",
        "a list of servers that send DSNs and call-outs to strangers",
        "https://www.backscatterer.org/?target=test",
    ),
    row(
        "dnsbl.spfbl.net",
        &["spfbl"],
        "SPFBL",
        "a list of senders with a poor reputation",
        "https://matrix.spfbl.net/{}",
    )
    .of(Either),
    row(
        "truncate.gbudb.net",
        &["gbudb"],
        "GBUdb Truncate",
        "a list of addresses that send next to nothing but spam",
        "https://www.gbudb.com/",
    ),
    row(
        "bl.spameatingmonkey.net",
        &["spameatingmonkey"],
        "Spam Eating Monkey",
        "a list of addresses that sent to spam traps",
        "https://spameatingmonkey.com/lookup/{}",
    ),
    row(
        "hostkarma.junkemailfilter.com",
        &["hostkarma", "junkemailfilter"],
        "Hostkarma",
        "a list of good and of bad senders in one",
        "https://ipadmin.junkemailfilter.com/remove.php?ip={}",
    )
    .of(Either)
    .codes(HOSTKARMA),
    row(
        "all.s5h.net",
        &["s5h.net"],
        "s5h.net",
        "a list of addresses that sent to spam traps",
        "https://www.usenix.org.uk/content/rbl.html",
    ),
    row(
        "",
        &["cloudmark"],
        "Cloudmark",
        "a reputation service",
        "https://csi.cloudmark.com/reset-request/?ip={}",
    ),
    row(
        "",
        &["pdr.proofpoint", "proofpoint dynamic reputation", "ipcheck.proofpoint"],
        "Proofpoint Dynamic Reputation",
        "a reputation service",
        "https://ipcheck.proofpoint.com/?ip={}",
    ),
    row(
        "",
        &["senderbase", "talosintelligence"],
        "Cisco Talos",
        "a reputation service",
        "https://talosintelligence.com/reputation_center/lookup?search={}",
    )
    .of(Either),
    row(
        "",
        &["mail-abuse.com", "mail-abuse.org", "trend micro email reputation"],
        "Trend Micro Email Reputation",
        "a reputation service",
        "https://www.ers.trendmicro.com/reputations",
    ),
    row(
        "list.dnswl.org",
        &["dnswl"],
        "dnswl.org",
        "a list of honest mail servers",
        "https://www.dnswl.org/s/?s={}",
    )
    .kind(Allow)
    .codes(DNSWL),
    row(
        "dnsbl.sorbs.net",
        &["sorbs"],
        "SORBS",
        "a list that was closed in 2024; the server's configuration is out of date",
        "",
    )
    .kind(Closed(2024)),
    row(
        "ix.dnsbl.manitu.net",
        &["manitu"],
        "NiX Spam",
        "a list that was closed in 2025; the server's configuration is out of date",
        "",
    )
    .kind(Closed(2025)),
    row(
        "dnsbl.njabl.org",
        &["njabl"],
        "NJABL",
        "a list that was closed in 2013; the server's configuration is out of date",
        "",
    )
    .kind(Closed(2013)),
    row(
        "dnsbl.ahbl.org",
        &["ahbl.org"],
        "AHBL",
        "a list that was closed in 2015 and then listed everybody; the server's configuration is out of date",
        "",
    )
    .of(Either)
    .kind(Closed(2015)),
    row(
        "relays.ordb.org",
        &["ordb.org"],
        "ORDB",
        "a list that was closed in 2006 and later listed everybody; the server's configuration is out of date",
        "",
    )
    .kind(Closed(2006)),
];

/// A blocklist of addresses, whose answers are read as those of any list.
const fn row(
    zone: &'static str,
    phrases: &'static [&'static str],
    name: &'static str,
    about: &'static str,
    look_up: &'static str,
) -> Blocklist {
    Blocklist { zone, phrases, name, about, look_up, subject: Address, kind: Block, codes: &[] }
}

impl Blocklist {
    const fn of(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn codes(self, codes: &'static [Code]) -> Self {
        Self { codes, ..self }
    }
}

const fn last(octet: u8, words: &'static str) -> Code {
    listed([127, 0, 0, octet], [127, 0, 0, octet], words)
}

const fn listed(first: [u8; 4], last: [u8; 4], words: &'static str) -> Code {
    Code { first, last, reading: Listed(words) }
}

const fn refused(first: [u8; 4], last: [u8; 4], words: &'static str) -> Code {
    Code { first, last, reading: Refused(words) }
}
