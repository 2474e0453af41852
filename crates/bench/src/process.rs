//! The CPU time and memory of the server, read from outside: `/proc` of its process.
//! Invariant: a figure is None where the system does not tell, never a guess.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::str::SplitAsciiWhitespace;
use std::time::Duration;

use crate::system::ticks_per_second;

/// Another process of this machine.
#[derive(Clone, Debug)]
pub struct Process(PathBuf);

/// What it has used since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub user: Duration,
    pub system: Duration,
    /// By the name of the thread.
    pub threads: BTreeMap<String, Duration>,
}

impl Used {
    /// All of it. The threads' own times are exact, the others are whole hundredths of a second.
    pub fn total(&self) -> Duration {
        let exact: Duration = self.threads.values().sum();
        if exact.is_zero() { self.user + self.system } else { exact }
    }

    pub fn since(&self, before: &Self) -> Self {
        let threads = self.threads.iter().map(|(name, used)| {
            let earlier = before.threads.get(name).copied().unwrap_or_default();
            (name.clone(), used.saturating_sub(earlier))
        });
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
            threads: threads.collect(),
        }
    }
}

impl Process {
    pub fn new(id: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{id}")))
    }

    pub fn used(&self) -> Option<Used> {
        let (_, user, system) = times(&fs::read_to_string(self.0.join("stat")).ok()?)?;
        let mut used = Used { user, system, threads: BTreeMap::new() };
        for thread in fs::read_dir(self.0.join("task")).ok()?.flatten() {
            let read = |file: &str| fs::read_to_string(thread.path().join(file)).ok();
            let Some((name, user, system)) = read("stat").as_deref().and_then(times) else { continue };
            // The scheduler's own count is in nanoseconds; the other in hundredths of a second.
            let exact = read("schedstat").and_then(|text| text.split_whitespace().next()?.parse().ok()).map(Duration::from_nanos);
            *used.threads.entry(name).or_default() += exact.unwrap_or(user + system);
        }
        Some(used)
    }

    /// What it is called, as the system has it.
    pub fn name(&self) -> Option<String> {
        Some(fs::read_to_string(self.0.join("comm")).ok()?.trim_end().to_owned())
    }

    /// Those it started that still run, and what these started.
    pub fn descendants(&self) -> Vec<Self> {
        let parent = |process: &Self| {
            let stat = fs::read_to_string(process.0.join("stat")).ok()?;
            let (_, mut fields) = fields(&stat)?;
            fields.nth(1)?.parse::<u32>().ok()
        };
        let numbered = |name: std::ffi::OsString| name.to_str()?.parse::<u32>().ok();
        let all = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| numbered(entry.file_name()));
        let all: Vec<(Self, u32)> = all.map(Self::new).filter_map(|process| Some((process.clone(), parent(&process)?))).collect();
        let mut found = vec![self.clone()];
        let mut next = 0;
        while let Some(Self(of)) = found.get(next).cloned() {
            next += 1;
            let children = all.iter().filter(|(_, parent)| of == Self::new(*parent).0).map(|(process, _)| process.clone());
            found.extend(children);
        }
        found.split_off(1)
    }

    /// Memory it holds, in bytes.
    pub fn resident(&self) -> Option<u64> {
        let status = fs::read_to_string(self.0.join("status")).ok()?;
        let kib: u64 = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1_024)
    }
}

/// The name in a `stat` file, which stands in brackets and may hold anything, and what is behind it.
fn fields(stat: &str) -> Option<(&str, SplitAsciiWhitespace<'_>)> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    Some((stat.get(start + 1..end)?, stat.get(end + 1..)?.split_ascii_whitespace()))
}

/// Name, user and system time in a `stat` file.
fn times(stat: &str) -> Option<(String, Duration, Duration)> {
    let (name, fields) = fields(stat)?;
    let mut fields = fields.skip(11);
    let mut time = || Some(Duration::from_secs_f64(fields.next()?.parse::<u64>().ok()? as f64 / ticks_per_second() as f64));
    Some((name.to_owned(), time()?, time()?))
}

/// CPU time this machine has spent on anything, what its host took included, since it started.
pub fn machine_busy() -> Option<Duration> {
    busy(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line of `/proc/stat` names user, nice, system, idle, iowait, irq, softirq and stolen time.
fn busy(stat: &str) -> Option<Duration> {
    let fields: Vec<u64> = stat.lines().next()?.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _, _, irq, softirq, stolen, ..] = fields[..] else { return None };
    Some(Duration::from_secs_f64((user + nice + system + irq + softirq + stolen) as f64 / ticks_per_second() as f64))
}

/// Datagrams that this machine threw away because a socket's buffer was full, since it started.
pub fn full_buffers() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/snmp").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split_whitespace().position(|name| name == "RcvbufErrors")?;
    values.split_whitespace().nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use salon_peer::media::thread_cpu;

    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        let (name, user, system) = times(stat).unwrap();
        let tick = Duration::from_secs(1) / ticks_per_second() as u32;
        assert_eq!((name.as_str(), user, system), ("a) (b c", tick * 250, tick * 50));
        assert_eq!(times("7 (cut"), None);
    }

    #[test]
    fn a_machine_is_busy_when_it_is_not_idle() {
        let ticks = ticks_per_second();
        let stat = format!("cpu  {ticks} {ticks} {ticks} 9 9 0 0 {ticks} 0 0\ncpu0 1");
        assert_eq!(busy(&stat), Some(Duration::from_secs(4)));
        assert_eq!(busy("cpu 1 2"), None);
        assert!(machine_busy().is_some());
    }

    #[test]
    fn this_process_can_be_read() {
        let process = Process::new(std::process::id());
        assert!(process.resident().unwrap() > 100_000);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let names: Vec<_> = process.descendants().iter().filter_map(Process::name).collect();
        assert!(names.contains(&"sleep".to_owned()), "{names:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        let before = process.used().unwrap();
        // By its own time: others may have the machine meanwhile.
        let until = thread_cpu() + Duration::from_millis(60);
        while thread_cpu() < until {}
        let used = process.used().unwrap().since(&before);
        assert!(used.threads.values().sum::<Duration>() > Duration::from_millis(50), "{used:?}");
    }
}
