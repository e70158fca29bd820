//! The head of a block: what workers have to know of its rows that may differ from file to file. It stands before the rows, in the
//! same memory.

use super::columns::Columns;

/// What stands at the head of a block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// How many fields each row is to have, where the header or the first row says so.
    pub fields: Option<usize>,
    /// The places of the columns that count, counted from 0. `None`: all columns count.
    pub columns: Option<Vec<usize>>,
}

/// One number of the head: first the fields, 0 where they are not known, then the columns.
type Word = [u8; 4];

impl Head {
    /// How many bytes the head takes where these columns count, and rows are printed with their results (`append`) or not. It takes
    /// none where there is nothing to say.
    pub fn size(columns: Option<&Columns>, append: bool) -> usize {
        let columns = columns.map_or(0, Columns::count);
        if columns == 0 && !append { 0 } else { size_of::<Word>() * (1 + columns) }
    }

    /// Writes the head to the front of `bytes`, as much as there is room for.
    pub fn write(&self, bytes: &mut [u8]) {
        let numbers = [self.fields.unwrap_or(0)].into_iter().chain(self.columns.iter().flatten().copied());
        for (word, number) in bytes.as_chunks_mut::<{ size_of::<Word>() }>().0.iter_mut().zip(numbers) {
            *word = (number as u32).to_le_bytes();
        }
    }

    /// The head that was written to these bytes.
    pub fn read(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<{ size_of::<Word>() }>();
        let mut numbers = words.iter().map(|word| u32::from_le_bytes(*word) as usize);
        let fields = numbers.next().filter(|&fields| fields > 0);
        let columns: Vec<usize> = numbers.collect();
        Head { fields, columns: (!columns.is_empty()).then_some(columns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was_written() {
        let columns = Columns::parse("3,1").unwrap();
        for (fields, places, append) in [
            (None, None, false),
            (Some(4), None, true),
            (None, Some(vec![2, 0]), false),
            (None, Some(vec![2, 0]), true),
            (Some(3), Some(vec![2, 0]), true),
        ] {
            let head = Head { fields, columns: places };
            let mut bytes = vec![0xff; Head::size(head.columns.as_ref().map(|_| &columns), append)];
            head.write(&mut bytes);
            assert_eq!(Head::read(&bytes), head);
        }
    }
}
