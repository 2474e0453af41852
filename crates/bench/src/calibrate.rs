//! `--calibrate`: more and more meetings, until something says that it is enough; how many people were there before.
//! Invariant: the answer is a load that was carried, not one that was computed.

use serde::Serialize;

use crate::figures::{Figures, Readings};
use crate::plan::{Plan, Shape};
use crate::progress::Progress;
use crate::run::Crowd;
use crate::server::Server;

/// Meetings grow by half, so that the answer is right within a third.
const GROWTH: f64 = 1.5;
/// More steps than any machine needs.
const MOST_STEPS: usize = 40;

/// A voice later than this is heard as a delay on top of the network's.
const AUDIO_P99_US: f64 = 20_000.0;
/// A picture may come a frame late.
const VIDEO_P99_US: f64 = 33_000.0;
/// More than this is seen and heard.
const LOSS: f64 = 0.002;
/// A thread that is busier has nothing left for a burst.
const BUSY: f64 = 0.85;

/// One load, and whether it was carried.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub meetings: usize,
    pub people: usize,
    /// Why it was too much.
    pub verdict: Option<String>,
    pub figures: Figures,
}

/// Adds meetings of the plan's shape until the load is too much. The last step is the one that was.
pub async fn run(server: &Server, plan: Plan, progress: &Progress) -> anyhow::Result<Vec<Step>> {
    let mut crowd = Crowd::new(server, plan)?;
    let mut steps: Vec<Step> = Vec::new();
    let mut meetings = 0;
    while steps.len() < MOST_STEPS && steps.last().is_none_or(|step| step.verdict.is_none()) {
        let wanted = (meetings + 1).max((meetings as f64 * GROWTH) as usize);
        progress.begin(&format!("{wanted} meetings"));
        let mut readings = Readings::default();
        let more = Shape { meetings: wanted - meetings, ..plan.shape };
        let came = crowd.let_in(&more, &mut readings, progress).await;
        meetings = wanted;
        let all = Plan { shape: Shape { meetings, ..plan.shape }, ..plan };
        tokio::time::sleep(plan.settle).await;
        crowd.measure(&mut readings, progress).await?;
        let figures = Figures::new(all, &readings, None);
        let verdict = came.err().map(|error| format!("somebody could not come in: {error:#}")).or_else(|| too_much(&figures));
        steps.push(Step { meetings, people: meetings * plan.shape.people(), verdict, figures });
    }
    Ok(steps)
}

/// Why a load is too much, if it is.
fn too_much(figures: &Figures) -> Option<String> {
    if figures.load() > BUSY {
        return Some(format!(
            "a thread of the load generator was {:.0}% busy: the server may carry more",
            figures.load() * 100.0
        ));
    }
    if let Some(busy) = figures.threads.iter().find(|busy| busy.share > BUSY) {
        return Some(format!("the server's thread {} was {:.0}% busy", busy.thread, busy.share * 100.0));
    }
    if figures.loss > LOSS + figures.plan.line.loss {
        return Some(format!("{:.2}% of packets never came", figures.loss * 100.0));
    }
    for (what, times, most) in
        [("audio", figures.audio_latency_us, AUDIO_P99_US), ("video", figures.video_latency_us, VIDEO_P99_US)]
    {
        if let Some(times) = times.filter(|times| times.p99 > most) {
            return Some(format!("{what} came {:.0} ms late (p99), more than {:.0} ms", times.p99 / 1e3, most / 1e3));
        }
    }
    (figures.forwarded_per_second < 0.95 * figures.planned_per_second && figures.plan.line.loss == 0.0)
        .then(|| format!("only {:.0} of {:.0} packets a second came", figures.forwarded_per_second, figures.planned_per_second))
}

/// The answer in words, and how it was found.
pub fn report(steps: &[Step]) -> String {
    let mut out = String::from("meetings  people  forwarded/s  server CPU  busiest thread  audio p99  video p99     lost\n");
    for step in steps {
        let figures = &step.figures;
        let cpu = figures.cpu_user_share.zip(figures.cpu_system_share).map(|(user, system)| (user + system) * 100.0);
        let busiest = figures.threads.first().map(|busy| busy.share * 100.0);
        let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.0}%"));
        let milliseconds = |times: Option<crate::figures::Percentiles>| {
            times.map_or_else(|| "-".to_owned(), |times| format!("{:.1} ms", times.p99 / 1e3))
        };
        out += &format!(
            "{:>8}  {:>6}  {:>11.0}  {:>10}  {:>14}  {:>9}  {:>9}  {:>6.2}%\n",
            step.meetings,
            step.people,
            figures.forwarded_per_second,
            percent(cpu),
            percent(busiest),
            milliseconds(figures.audio_latency_us),
            milliseconds(figures.video_latency_us),
            figures.loss * 100.0
        );
    }
    let carried = steps.iter().rfind(|step| step.verdict.is_none());
    let per_meeting = steps.first().map_or(0, |step| step.figures.plan.shape.people());
    out += &match carried {
        Some(step) => format!("\nThis machine carries about {} people in meetings of {per_meeting}.\n", step.people),
        None => format!("\nThis machine does not carry one meeting of {per_meeting}.\n"),
    };
    if let Some((step, why)) = steps.iter().find_map(|step| Some((step, step.verdict.as_ref()?))) {
        out += &format!("With {} people: {why}.\n", step.people);
    }
    out += &format!(
        "A load counts as carried while no thread of the server or of the load is more than {:.0}% busy, at most {:.1}% of\n\
         packets are lost, and 99% of them take at most {:.0} ms (audio) and {:.0} ms (video) through the server.\n",
        BUSY * 100.0,
        LOSS * 100.0,
        AUDIO_P99_US / 1e3,
        VIDEO_P99_US / 1e3
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::example;
    use crate::figures::{Busy, Percentiles};

    fn fine() -> Figures {
        Figures { loss: 0.0, planned_per_second: 500.0, ..example() }
    }

    #[test]
    fn each_limit_says_when_it_is_reached() {
        assert_eq!(too_much(&fine()), None);
        let late = Some(Percentiles { p50: 1.0, p90: 2.0, p99: 25_000.0, count: 9 });
        for (figures, why) in [
            (Figures { loss: 0.01, ..fine() }, "1.00% of packets never came"),
            (Figures { audio_latency_us: late, ..fine() }, "audio came 25 ms late"),
            (Figures { threads: vec![Busy { thread: "media".to_owned(), share: 0.9 }], ..fine() }, "thread media was 90% busy"),
            (
                Figures { load_threads: vec![Busy { thread: "x".to_owned(), share: 0.9 }], ..fine() },
                "load generator was 90% busy",
            ),
            (Figures { planned_per_second: 1_000.0, ..fine() }, "only 500 of 1000"),
        ] {
            let told = too_much(&figures).unwrap_or_default();
            assert!(told.contains(why), "{told:?} should say {why:?}");
        }
    }

    #[test]
    fn the_answer_is_the_last_load_that_was_carried() {
        let step = |meetings, verdict: Option<&str>| Step {
            meetings,
            people: meetings * 3,
            verdict: verdict.map(str::to_owned),
            figures: fine(),
        };
        let text = report(&[step(1, None), step(2, None), step(3, Some("too much"))]);
        assert!(text.contains("about 6 people in meetings of 3.\nWith 9 people: too much.\n"), "{text}");
        assert!(report(&[step(1, Some("no"))]).contains("does not carry one meeting of 3"));
    }
}
