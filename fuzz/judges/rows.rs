//! Judges what finds rows many at a time, and loads their numbers: they must be the rows that are found one by one, and the numbers that
//! are read one by one.

use super::{MOST, format};
use crate::csv::index::Index;
use crate::csv::index::judge::judge;
use crate::kernel::batch::{Batch, BatchKernel};
use crate::kernel::gcd::{Gcd, Pairs};
use crate::vectors::Vectors;

/// Checks the rows of any format, with all instructions that the processor has, and the numbers in their first two columns.
pub fn rows(bytes: &[u8]) {
    let Some((&[by_format, how, limit], text)) = bytes.split_first_chunk() else { return };
    let (format, text) = (format(by_format), &text[..text.len().min(MOST)]);
    let counts = [0..=usize::MAX, 2..=2, 1..=1, 2..=usize::MAX][usize::from(how & 3)].clone();
    for vectors in Vectors::all() {
        judge(vectors, format, text, &counts, &[1 + usize::from(limit >> 4), 1 + usize::from(limit & 15), 99]);
    }
    let (gcd, mut index, mut at) = (Gcd::default(), Index::new(format), 0);
    let (mut found, mut expected, mut fields) = (Pairs::default(), Pairs::default(), vec![]);
    loop {
        let rows = index.rows(text, at, &(2..=usize::MAX), None, usize::MAX);
        if rows.is_empty() {
            break;
        }
        let mut read = |row: usize, pairs: &mut Pairs| gcd.try_read(&rows.record(row, &mut fields), pairs) || true;
        let count = gcd.read_rows(&rows, &mut found, &mut read);
        assert_eq!(count, rows.len());
        (0..count).for_each(|row| assert!(read(row, &mut expected)));
        at = index.advance(count);
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}
