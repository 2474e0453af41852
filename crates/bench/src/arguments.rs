//! The command line of `salon bench`, turned into a plan, and what its help teaches.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::plan::{Line, Plan, Rates, Shape};

/// What stands below the arguments in `salon bench --help`.
pub const HELP: &str = "\
Starts a server of its own from this binary, in a process of its own with data that is thrown away, unless --url names
one. Makes meetings and participants over REST, joins as the web SDK does, and connects with ICE, DTLS and SRTP over UDP.
Subscribers open one packet in --verify-every with the keys of their handshake, and count all of them.

Use a release build. Measure on a machine that does nothing else: the load needs about as much CPU as the server.
docs/performance.md says what each figure means.

Examples:
  salon bench                                    one publisher, 100 subscribers
  salon bench --subscribers 500 --json out.json  more of them, and a report for machines
  salon bench --people 4 --meetings 10           ten meetings of four who all see each other
  salon bench --loss 10 --delay 25               on a bad line
  salon bench --scenario table                   every figure that has a target, with the target beside it
  salon bench --scenario soak --duration 30m     meetings come and go: does memory stay flat, is anything left over?
  salon bench --scenario recording               what a recording of four people costs
  salon bench --scenario webhooks --meetings 20  how soon webhooks are told, and what that costs a join
  salon bench --calibrate --people 6             how many people in meetings of six this machine carries
  salon bench --url http://127.0.0.1:8787 --pid $(pgrep -x salon)";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// One run of the shape that the options give
    One,
    /// The runs whose figures have targets
    Table,
    /// Of these, the two that tell how much more two media threads carry than one
    Threads,
    /// Meetings that come, stay and go, for --duration: does the server's memory stay as it is?
    Soak,
    /// A recording of one meeting of --people, four unless told, for --duration: what it costs. Needs ffmpeg
    Recording,
    /// People come into --meetings of --people, four unless told, with a webhook and without: how soon is it told, and what do
    /// joins cost more?
    Webhooks,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A server that runs, instead of one started for the occasion
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with_all = ["set", "server"])]
    pub url: Option<String>,
    /// The process of the server at --url, to read its CPU time and memory
    #[arg(long, value_name = "PID", requires = "url")]
    pub pid: Option<u32>,
    /// The account at --url
    #[arg(long, value_name = "ID", default_value = "dev")]
    pub account: String,
    /// The app at --url
    #[arg(long, value_name = "ID", default_value = "dev")]
    pub app: String,
    /// The API token of that account
    #[arg(long, value_name = "TOKEN", env = "SALON_BENCH_TOKEN", default_value = "dev-token", hide_env_values = true)]
    pub token: String,
    /// The binary to start the server from, such as one of another build
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// A setting of the server that is started, such as limits.sockets=500; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,

    /// What to run
    #[arg(long, value_enum, default_value = "one")]
    pub scenario: Scenario,
    /// Add meetings until the machine carries no more
    #[arg(long, conflicts_with = "scenario")]
    pub calibrate: bool,

    /// Meetings at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub meetings: usize,
    /// In each meeting, those who send
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub publishers: usize,
    /// In each meeting, those who only watch; 100 unless --people is given
    #[arg(long, value_name = "N")]
    pub subscribers: Option<usize>,
    /// In each meeting, people who all send and all watch each other
    #[arg(long, value_name = "N", conflicts_with = "publishers")]
    pub people: Option<usize>,
    /// Videos each subscriber takes; beyond the publishers', those of cameras that send nothing. As many as publish
    #[arg(long, value_name = "N")]
    pub streams: Option<usize>,

    /// Video packets a second of each publisher
    #[arg(long, value_name = "N", default_value_t = 200.0)]
    pub video_pps: f64,
    /// Payload bytes of a video packet
    #[arg(long, value_name = "BYTES", default_value_t = 1_200)]
    pub video_bytes: usize,
    /// Pictures a second; the packets of one leave in a burst
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    pub fps: f64,
    /// Audio packets a second of each publisher; 0 for none
    #[arg(long, value_name = "N", default_value_t = 30.0)]
    pub audio_pps: f64,
    /// Payload bytes of an audio packet
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub audio_bytes: usize,
    /// Percent of packets that get lost on the way to each subscriber
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub loss: f64,
    /// Milliseconds that packets take longer on the way to each subscriber
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub delay: u64,

    /// Joins a second
    #[arg(long, value_name = "N", default_value_t = 50.0)]
    pub ramp: f64,
    /// Seconds between the last join and the measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub settle: f64,
    /// Seconds to measure, or minutes as in 30m
    #[arg(long, value_name = "SECONDS", default_value = "8", value_parser = time)]
    pub duration: f64,
    /// Seconds for which a meeting stays in a soak
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0)]
    pub stay: f64,
    /// Open one packet in this many
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub verify_every: u64,
    /// Seconds for each of the two floors; 0 leaves them out
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    pub floor: f64,

    /// Write the report as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

/// Seconds, or minutes or hours with a letter behind them.
fn time(text: &str) -> Result<f64, String> {
    let (number, each) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) if text.ends_with('h') => (number, 3_600.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    number.parse::<f64>().map(|number| number * each).map_err(|_| "must be seconds, or a time such as 30m".to_owned())
}

impl BenchArgs {
    /// The run meant.
    ///
    /// # Errors
    /// Which option cannot be carried out, and what it may be.
    pub fn plan(&self) -> Result<Plan, String> {
        let seconds = |name: &str, value: f64| {
            let sane = (0.0..=24.0 * 3_600.0).contains(&value);
            sane.then(|| Duration::from_secs_f64(value)).ok_or(format!("{name} is {value}, but must be seconds of a day"))
        };
        // Without a shape, meetings of a calibration and what is recorded are of four.
        let of_four =
            self.calibrate && self.subscribers.is_none() || matches!(self.scenario, Scenario::Recording | Scenario::Webhooks);
        let people = self.people.or(of_four.then_some(4));
        let publishers = people.unwrap_or(self.publishers);
        let others = if people.is_some() { publishers.saturating_sub(1).max(1) } else { publishers };
        let plan = Plan {
            shape: Shape {
                // In a soak some are there while others come.
                meetings: if self.scenario == Scenario::Soak { self.meetings.max(4) } else { self.meetings },
                publishers,
                subscribers: self.subscribers.unwrap_or(match (people, self.scenario) {
                    (Some(_), _) => 0,
                    (None, Scenario::Soak) => 10,
                    (None, _) => 100,
                }),
                mutual: people.is_some(),
                streams: self.streams.unwrap_or(others),
            },
            rates: Rates {
                video_pps: self.video_pps,
                video_bytes: self.video_bytes,
                fps: self.fps,
                audio_pps: self.audio_pps,
                audio_bytes: self.audio_bytes,
            },
            line: Line { loss: self.loss / 100.0, delay: Duration::from_millis(self.delay) },
            joins_per_second: self.ramp,
            settle: seconds("--settle", self.settle)?,
            window: seconds("--duration", self.duration)?,
            open_every: self.verify_every,
        };
        seconds("--floor", self.floor)?;
        seconds("--stay", self.stay)?;
        plan.check()?;
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan(line: &str) -> Result<Plan, String> {
        Alone::try_parse_from(["bench"].into_iter().chain(line.split_whitespace())).map_err(|e| e.to_string())?.args.plan()
    }

    #[test]
    fn options_become_shapes() {
        let shape = |line| plan(line).unwrap().shape;
        let default = Shape { meetings: 1, publishers: 1, subscribers: 100, mutual: false, streams: 1 };
        assert_eq!(shape(""), default);
        assert_eq!(shape("--publishers 3 --subscribers 2"), Shape { publishers: 3, subscribers: 2, streams: 3, ..default });
        let four = Shape { publishers: 4, subscribers: 0, mutual: true, streams: 3, ..default };
        assert_eq!(shape("--people 4"), four);
        let soak = plan("--scenario soak --duration 30m").unwrap();
        assert_eq!((soak.window, soak.shape), (Duration::from_secs(1_800), Shape { meetings: 4, subscribers: 10, ..default }));
        assert_eq!(shape("--calibrate"), four);
        assert_eq!(shape("--scenario recording"), four);
        assert_eq!(shape("--scenario webhooks --meetings 5"), Shape { meetings: 5, ..four });
        assert_eq!(shape("--calibrate --subscribers 9"), Shape { subscribers: 9, ..default });
    }

    #[test]
    fn mistakes_are_told() {
        assert!(plan("--people 1").unwrap_err().contains("nobody to watch"));
        assert!(plan("--duration=-1").unwrap_err().contains("--duration"));
        assert!(plan("--publishers 0").unwrap_err().contains("--publishers is 0"));
        assert!(plan("--duration 30x").unwrap_err().contains("30m"));
        assert!(plan("--pid 7").unwrap_err().contains("--url"));
    }
}
