//! `mailwright lab`: broken peers and boxes in between, for showing, training and testing.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use lab::{
    Middlebox, Recording, Recordings, Scenario, Server,
    scenario::{self, Kind, ScenarioError},
};
use world::{Clock, Net};

use crate::{output, problem::Problem, server::block_on};

/// Play a broken server, or a box in between that breaks the dialogue
#[derive(Debug, Args)]
pub struct Lab {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All scenarios, and what each imitates
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// The text of a scenario, to write one's own after it
    Show {
        /// Its name
        scenario: String,
    },
    /// A server that misbehaves
    Server {
        /// Name of a scenario, or a file of that form
        #[arg(long, value_name = "NAME|FILE")]
        scenario: String,
        /// Where to listen
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:2525")]
        listen: SocketAddr,
        /// Folder for the contents that were accepted, a file each
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// A box between clients and a server
    Middlebox {
        /// Name of a scenario, or a file of that form
        #[arg(long, value_name = "NAME|FILE")]
        scenario: String,
        /// Where clients connect to, and the server behind the box
        #[arg(long, num_args = 2, value_names = ["LISTEN", "SERVER"])]
        between: Vec<String>,
        /// Write what a capture on the clients' side would have
        #[arg(long, value_name = "FILE")]
        record_near: Option<PathBuf>,
        /// Write what a capture on the server's side would have
        #[arg(long, value_name = "FILE")]
        record_far: Option<PathBuf>,
    },
}

impl Lab {
    pub fn run(self) -> Result<(), Problem> {
        match self.what {
            What::List { json } => list(json),
            What::Show { scenario } => show(&scenario),
            What::Server { scenario, listen, into } => serve(&scenario, listen, into),
            What::Middlebox { scenario, between, record_near, record_far } => {
                stand_between(&scenario, &between, record_near, record_far)
            }
        }
    }
}

fn list(json: bool) -> Result<(), Problem> {
    let all = scenario::all().map_err(|error| Problem::from_error(&error))?;
    if json {
        all.iter().for_each(output::json);
        return Ok(());
    }
    for kind in [Kind::Server, Kind::Middlebox] {
        let mut table = output::table(
            &[
                if kind == Kind::Server { "server" } else { "middlebox" },
                "what it does",
                "imitates",
                "found as",
            ],
            output::width(),
        );
        for scenario in all.iter().filter(|scenario| scenario.kind == kind) {
            table.add_row([
                scenario.name.clone(),
                scenario.what.clone(),
                scenario.imitates.clone(),
                found_as(scenario),
            ]);
        }
        crate::output::say!("{}\n", output::text(&table));
    }
    Ok(())
}

/// The name of the finding, and whether mail arrives all the same; `-` where nothing is wrong. Some evidence
/// calls it by another name, which `lab show` has.
fn found_as(scenario: &Scenario) -> String {
    match (scenario.finds.first(), scenario.passes) {
        (None, _) => "-".to_owned(),
        (Some(rule), true) => format!("{rule}; mail gets round it"),
        (Some(rule), false) => rule.clone(),
    }
}

fn show(name: &str) -> Result<(), Problem> {
    let text = scenario::text(name).map_err(|error| Problem::from_error(&error))?;
    crate::output::put_text(text);
    Ok(())
}

/// A scenario by name, or from a file.
fn found(name: &str, kind: Kind) -> Result<Scenario, Problem> {
    let is_file = name.contains(['/', '.']);
    let scenario = if is_file {
        let text = std::fs::read_to_string(name)
            .map_err(|error| Problem::new(format!("cannot read `{name}`: {error}")))?;
        Scenario::parse(name, &text)
    } else {
        Scenario::named(name)
    };
    scenario.and_then(|scenario| scenario.of_kind(kind)).map_err(|error| {
        let problem = Problem::from_error(&error);
        match error {
            ScenarioError::OtherKind(..) => problem.help(instead(name, kind)),
            _ => problem,
        }
    })
}

/// What to type for a scenario that is not of the kind that was asked for.
fn instead(name: &str, asked: Kind) -> String {
    let server = "mailwright lab server --listen 127.0.0.1:2525 --scenario";
    match asked {
        Kind::Server => format!(
            "it needs a server behind it: `{server} good`, and in another terminal `mailwright lab middlebox \
             --between 127.0.0.1:2526 127.0.0.1:2525 --scenario {name}`; clients then connect to 127.0.0.1:2526"
        ),
        Kind::Middlebox => format!("nothing stands in front of it: `{server} {name}`"),
    }
}

fn serve(name: &str, listen: SocketAddr, into: Option<PathBuf>) -> Result<(), Problem> {
    let scenario = found(name, Kind::Server)?;
    block_on(async {
        let server = Server::listen(&Net::Real, listen, scenario.server.clone(), into)
            .map_err(|error| cannot_listen(&listen.to_string(), &error))?;
        let at = server.local().map_err(|error| Problem::from_error(&error))?;
        crate::output::announce!("`{}` plays at {at}: {}", scenario.name, scenario.what);
        server.run().await;
        Ok(())
    })
}

fn stand_between(
    name: &str,
    between: &[String],
    near: Option<PathBuf>,
    far: Option<PathBuf>,
) -> Result<(), Problem> {
    let scenario = found(name, Kind::Middlebox)?;
    let [listen, server] = between else {
        return Err(Problem::new(
            "`--between` names two places: where clients connect, and the server",
        ));
    };
    let (listen, server) = (resolved(listen)?, resolved(server)?);
    block_on(async {
        let recordings = Recordings { near: recording(near)?, far: recording(far)? };
        let middlebox = Middlebox::listen(&Net::Real, listen, server, scenario.middlebox.clone())
            .map_err(|error| cannot_listen(&listen.to_string(), &error))?
            .recorded(recordings);
        let at = middlebox.local().map_err(|error| Problem::from_error(&error))?;
        crate::output::announce!(
            "`{}` stands between {at} and {server}: {}",
            scenario.name,
            scenario.what
        );
        middlebox.run().await;
        Ok(())
    })
}

fn recording(path: Option<PathBuf>) -> Result<Option<Recording>, Problem> {
    let Some(path) = path else { return Ok(None) };
    let cannot =
        |error: std::io::Error| Problem::new(format!("cannot write `{}`: {error}", path.display()));
    let file = std::fs::File::create(&path).map_err(cannot)?;
    Recording::new(Box::new(file), Clock::Real.now().0).map(Some).map_err(cannot)
}

fn resolved(place: &str) -> Result<SocketAddr, Problem> {
    let wrong =
        |why: String| Problem::new(format!("`{place}` is no place such as 127.0.0.1:2525: {why}"));
    let mut addresses = place.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
    addresses.next().ok_or_else(|| wrong("the name has no address".to_owned()))
}

fn cannot_listen(at: &str, error: &std::io::Error) -> Problem {
    Problem::new(format!("cannot listen at {at}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_of_the_other_kind_says_what_to_type() {
        for (name, asked, typed) in [
            (
                "xexch50-abort",
                Kind::Server,
                "lab middlebox --between 127.0.0.1:2526 127.0.0.1:2525 --scenario xexch50-abort",
            ),
            ("greylist", Kind::Middlebox, "lab server --listen 127.0.0.1:2525 --scenario greylist"),
        ] {
            let problem = format!("{:?}", found(name, asked).unwrap_err());
            let words = problem.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                words.contains(&format!("`{name}` is a ")) && words.contains(typed),
                "{problem}"
            );
        }
    }
}
