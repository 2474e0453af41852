//! What went wrong with a recording or livestream, in the one text that is told of it: several reasons, each once. Pure.
//! Invariant: a reason that is over takes no other with it.

/// What stands between two reasons, and in none.
const BETWEEN: &str = "; ";

/// Reasons at most: what comes beyond is in the log.
const MOST: usize = 12;

/// What is told of a receiver that is sent nothing begins so.
const NOT_STREAMED: &str = "not streamed to its RTMP address: ";

/// What is told of a receiver that is sent nothing, for this reason.
pub fn not_streamed(why: &str) -> String {
    format!("{NOT_STREAMED}{why}")
}

/// Notes whether the receiver of a recording is sent it.
pub fn note_streamed(told: &mut Option<String>, why: Option<&str>) {
    end(told, NOT_STREAMED);
    if let Some(why) = why {
        add(told, &not_streamed(why));
    }
}

/// Tells this as well, unless it is told already.
pub fn add(told: &mut Option<String>, why: &str) {
    let why = why.replace(BETWEEN, ", ");
    match told {
        None => *told = Some(why),
        Some(all) => {
            if all.split(BETWEEN).all(|reason| !reason.contains(&why)) && all.split(BETWEEN).count() < MOST {
                all.push_str(BETWEEN);
                all.push_str(&why);
            }
        }
    }
}

/// What begins so holds no more.
pub fn end(told: &mut Option<String>, beginning: &str) {
    if let Some(all) = told.take() {
        all.split(BETWEEN).filter(|reason| !reason.starts_with(beginning)).for_each(|reason| add(told, reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_once_and_ends_alone() {
        let mut told = None;
        add(&mut told, "a part is missing");
        note_streamed(&mut told, Some("refused; try later"));
        add(&mut told, "somebody's AV1 is not shown: no; library");
        note_streamed(&mut told, Some("cannot be reached"));
        let unshown = "somebody's AV1 is not shown: no, library";
        let streamed = "not streamed to its RTMP address: cannot be reached";
        assert_eq!(told.as_deref(), Some(&*format!("a part is missing; {unshown}; {streamed}")));
        add(&mut told, "no; library");
        note_streamed(&mut told, None);
        assert_eq!(told.as_deref(), Some(&*format!("a part is missing; {unshown}")));
        end(&mut told, "a part");
        end(&mut told, "somebody");
        end(&mut told, "");
        assert_eq!(told, None);
        (0..100).for_each(|n| add(&mut told, &format!("{n:03}")));
        assert_eq!(told.map(|told| told.len()), Some(MOST * 5 - BETWEEN.len()));
    }
}
