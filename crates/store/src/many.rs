//! Lists of rows in statements of a few fixed lengths, which both engines then keep prepared.
//! Knows no table. Next: `writer/write.rs`, which writes most of them.

use std::collections::BTreeSet;

use crate::engine::{Arg, Row, Tx, built};
use crate::error::Result;

/// How many rows a statement holds. The longest binds 64 × 19 values, well below what either engine takes.
const LENGTHS: [usize; 4] = [64, 16, 4, 1];

/// Reads the rows that `sql` finds for any of `values`.
pub(crate) async fn select<'a, T>(tx: &mut Tx, sql: impl Fn(&str) -> String, values: &BTreeSet<&'a T>) -> Result<Vec<Row>>
where
    Arg: From<&'a T>,
{
    let mut rows = Vec::new();
    for (list, args) in lists(values) {
        rows.extend(tx.all(built(sql(&list)), args).await?);
    }
    Ok(rows)
}

/// `$1, $2, …` for some of `values` at a time, and these, filled up with their last one.
pub(crate) fn lists<'a, T>(values: &BTreeSet<&'a T>) -> Vec<(String, Vec<Arg>)>
where
    Arg: From<&'a T>,
{
    let values: Vec<&T> = values.iter().copied().collect();
    let list = |chunk: &[&'a T]| {
        let length = LENGTHS.iter().copied().filter(|length| *length >= chunk.len()).min().unwrap_or(LENGTHS[0]);
        let filled = chunk.iter().chain(std::iter::repeat(&chunk[chunk.len() - 1])).take(length);
        (placeholders(1, length), filled.map(|value| Arg::from(*value)).collect())
    };
    values.chunks(LENGTHS[0]).map(list).collect()
}

/// Cuts a list into parts of the fixed lengths, the longest first.
pub(crate) fn chunks<T>(mut list: &[T]) -> Vec<&[T]> {
    let mut chunks = Vec::new();
    for length in LENGTHS {
        while list.len() >= length {
            let (chunk, rest) = list.split_at(length);
            chunks.push(chunk);
            list = rest;
        }
    }
    chunks
}

/// `($1, $2), ($3, $4)` for two rows of two columns.
pub(crate) fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| format!("({})", placeholders(row * columns + 1, columns));
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_without_loss() {
        for length in [0, 1, 3, 4, 5, 63, 64, 65, 200, 256] {
            let list: Vec<usize> = (0..length).collect();
            let parts = chunks(&list);
            assert!(parts.iter().all(|part| LENGTHS.contains(&part.len())));
            assert_eq!(parts.concat(), list);
        }
    }

    #[test]
    fn tuples_are_numbered_through() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
