//! What a meeting must answer, reckoned from scratch each time out of a list of who was connected when.
//! Deliberately unlike the code under test: no events, no sums, no states; the past is kept as lines and added up.
//! It is told what was acknowledged (joined, broke off, left), never what the session wrote.

/// One line of the ledger: a stretch in which a peer was connected.
#[derive(Debug, Clone)]
pub struct Line {
    pub peer: usize,
    counts: bool,
    /// A robot's: nobody is here for the session's sake.
    robot: bool,
    from: i64,
    /// Place of its begin among all begins and ends, because several may happen in one millisecond.
    from_place: usize,
    until: Option<(i64, usize)>,
    after: After,
}

/// What became of a peer when a line ended, or `Nothing` while it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
enum After {
    Nothing,
    /// It may come back until then.
    MayReturn {
        until: i64,
    },
    /// It came back: the gap after this line counts as presence.
    Returned {
        at: i64,
    },
    /// It did not, and was given up then.
    Lost {
        at: i64,
    },
    /// It left for good at that moment, which may be after it was last seen.
    Left {
        at: i64,
    },
}

/// One session of the meeting.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub session: String,
    lines: Vec<Line>,
    places: usize,
    keep_alive_ms: i64,
    begun: i64,
    /// Ended for everyone at that moment.
    closed: Option<i64>,
    /// People are in connected meetings, which keep it alive; and when that was over last.
    held: bool,
    released: i64,
}

impl Ledger {
    pub fn new(session: &str, begun: i64, keep_alive_ms: i64) -> Self {
        Self {
            session: session.to_string(),
            lines: Vec::new(),
            places: 0,
            keep_alive_ms,
            begun,
            closed: None,
            held: false,
            released: 0,
        }
    }

    fn place(&mut self) -> usize {
        self.places += 1;
        self.places
    }

    pub fn joined(&mut self, now: i64, peer: usize, counts: bool, robot: bool) {
        let from_place = self.place();
        self.lines.push(Line { peer, counts, robot, from: now, from_place, until: None, after: After::Nothing });
    }

    pub fn broke_off(&mut self, seen: i64, peer: usize, may_return_until: i64) {
        let place = self.place();
        for line in self.lines.iter_mut().filter(|line| line.peer == peer && line.until.is_none()) {
            line.until = Some((seen, place));
            line.after = After::MayReturn { until: may_return_until };
        }
    }

    pub fn returned(&mut self, now: i64, peer: usize) {
        let gone = self.lines.iter_mut().rfind(|line| line.peer == peer).expect("it was here");
        assert!(matches!(gone.after, After::MayReturn { .. }));
        gone.after = After::Returned { at: now };
        let (counts, robot) = (gone.counts, gone.robot);
        self.joined(now, peer, counts, robot);
    }

    pub fn left(&mut self, now: i64, peer: usize) {
        self.broke_off(now, peer, now);
        for line in self.lines.iter_mut().filter(|line| line.peer == peer) {
            if matches!(line.after, After::MayReturn { .. }) {
                line.after = After::Left { at: now };
            }
        }
    }

    /// It may not come back any more: another has its place.
    pub fn gave_way(&mut self, now: i64, peer: usize) {
        for line in self.lines.iter_mut().filter(|line| line.peer == peer) {
            if matches!(line.after, After::MayReturn { .. }) {
                line.after = After::Lost { at: now };
            }
        }
    }

    pub fn held(&mut self, now: i64, held: bool) {
        if self.held && !held {
            self.released = now;
        }
        self.held = held;
    }

    pub fn closed(&mut self, now: i64) {
        for peer in self.present(now) {
            self.left(now, peer);
        }
        self.closed = Some(now);
    }

    /// Time has passed, and what it changed is remembered: no later outage undoes it.
    pub fn settle(&mut self, now: i64) {
        for line in &mut self.lines {
            if let After::MayReturn { until } = line.after
                && until <= now
            {
                line.after = After::Lost { at: until };
            }
        }
        if let Some(over) = self.over_at().filter(|over| *over <= now) {
            self.closed = Some(over);
        }
    }

    /// The server died and was last alive at `seen`; now it is back. Whoever was here may return for the grace time,
    /// unless it was away for longer than both the grace and the keep-alive time.
    pub fn outage(&mut self, seen: i64, back: i64, grace_ms: i64) {
        if self.closed.is_some() {
            return;
        }
        for peer in 0..=self.lines.iter().map(|line| line.peer).max().unwrap_or(0) {
            self.broke_off(seen, peer, seen);
        }
        for line in &mut self.lines {
            let (After::MayReturn { .. }, Some((end, _))) = (line.after, line.until) else { continue };
            let too_long = back - end > grace_ms.max(self.keep_alive_ms);
            line.after = if too_long { After::Lost { at: seen } } else { After::MayReturn { until: back + grace_ms } };
        }
    }

    /// Where a peer is: its line that goes on, or the one after which it may still return.
    fn is_here(line: &Line, now: i64) -> bool {
        match line.after {
            After::Nothing => true,
            After::MayReturn { until } => now < until,
            After::Returned { .. } | After::Lost { .. } | After::Left { .. } => false,
        }
    }

    pub fn present(&self, now: i64) -> Vec<usize> {
        self.lines.iter().filter(|line| Self::is_here(line, now)).map(|line| line.peer).collect()
    }

    pub fn is_connected(&self, peer: usize) -> bool {
        self.lines.iter().any(|line| line.peer == peer && line.until.is_none())
    }

    pub fn may_return(&self, now: i64, peer: usize) -> bool {
        !self.is_connected(peer) && self.present(now).contains(&peer)
    }

    /// When the session was or will be over without another input; `None` while somebody is connected who is no robot.
    pub fn over_at(&self) -> Option<i64> {
        if let Some(closed) = self.closed {
            return Some(closed);
        }
        if self.held {
            return None;
        }
        let mut over = self.begun.max(self.released) + self.keep_alive_ms;
        for line in self.lines.iter().filter(|line| !line.robot) {
            let (end, _) = line.until?;
            over = over.max(end + self.keep_alive_ms);
            if let After::MayReturn { until: at } | After::Lost { at } | After::Left { at } = line.after {
                over = over.max(at);
            }
        }
        Some(over)
    }

    pub fn is_live(&self, now: i64) -> bool {
        self.over_at().is_none_or(|over| now < over)
    }

    pub fn live(&self) -> u32 {
        self.lines.iter().filter(|line| line.counts && line.until.is_none()).count() as u32
    }

    /// The most lines over any begin.
    pub fn max_concurrent(&self) -> u32 {
        let counted: Vec<&Line> = self.lines.iter().filter(|line| line.counts).collect();
        let over = |place: usize| {
            let lines = counted.iter().filter(|line| line.from_place <= place);
            lines.filter(|line| line.until.is_none_or(|(_, end)| end > place)).count() as u32
        };
        counted.iter().map(|line| over(line.from_place)).max().unwrap_or(0)
    }

    pub fn participants(&self) -> u32 {
        let mut peers: Vec<usize> = self.lines.iter().filter(|line| line.counts).map(|line| line.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers.len() as u32
    }

    pub fn consumed_ms(&self, now: i64) -> i64 {
        let length = |line: &Line| {
            let until = match (line.until, line.after) {
                (_, After::Returned { at }) => at,
                (Some((end, _)), _) => end,
                (None, _) => now,
            };
            until - line.from
        };
        self.lines.iter().filter(|line| line.counts).map(length).sum()
    }
}
