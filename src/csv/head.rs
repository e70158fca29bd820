//! The head of a block: the bytes in front of a block's rows, in the same slot, that tell the workers what may differ
//! from input file to input file: which columns to read, and how many fields a row must have.

use super::columns::Columns;

/// The contents of a block's head.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Number of fields that every row must have, as given by the header or the first row. `None`: neither decides it.
    pub fields: Option<usize>,
    /// Positions, from 0, of the columns that are the kernel's input. `None`: all columns are.
    pub columns: Option<Vec<usize>>,
}

/// One number of the head, little-endian. The first number is `fields`, or 0 if that is `None`; the positions of the
/// columns follow.
type Word = [u8; 4];

impl Head {
    /// Returns the size of the head in bytes, given the chosen `columns` and whether rows are printed with their
    /// results (`append`). The size is 0 if neither is asked for, because the head is then always empty.
    pub fn size(columns: Option<&Columns>, append: bool) -> usize {
        let columns = columns.map_or(0, Columns::count);
        if columns == 0 && !append { 0 } else { size_of::<Word>() * (1 + columns) }
    }

    /// Writes the head to the front of `bytes`. Numbers for which `bytes` has no room are left out.
    pub fn write(&self, bytes: &mut [u8]) {
        let numbers = [self.fields.unwrap_or(0)].into_iter().chain(self.columns.iter().flatten().copied());
        for (word, number) in bytes.as_chunks_mut::<{ size_of::<Word>() }>().0.iter_mut().zip(numbers) {
            *word = (number as u32).to_le_bytes();
        }
    }

    /// Returns the head that [`write`](Head::write) has written to `bytes`.
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
