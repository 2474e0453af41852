//! Which known name someone probably meant (pure).

/// The known name nearest to `wrong`: by letters to change, and before that by the part after the dot.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let wrong = wrong.to_ascii_lowercase();
    known
        .into_iter()
        .min_by_key(|key| {
            let whole = distance(&wrong, key);
            // `url` for `database.url`, or the right name in the wrong section.
            let name = distance(&last(&wrong), &last(key)) + 2;
            whole.min(name)
        })
        .unwrap_or_default()
}

/// Letters to insert, remove, replace or swap with their neighbour to make one text from the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(100).collect(), to.chars().collect());
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=to.len()).collect();
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["listen", "data", "database.url", "media.port", "limits.sockets", "limits.sockets_per_meeting"];
        for (wrong, meant) in [
            ("lisen", "listen"),
            ("database.ulr", "database.url"),
            ("databse.url", "database.url"),
            ("url", "database.url"),
            ("limits.port", "media.port"),
            ("LISTEN", "listen"),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }

    #[test]
    fn distance_counts_letters() {
        for (from, to, letters) in [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(from, to), letters, "{from} {to}");
        }
    }
}
