//! What kernels that take columns have in common: the methods that only read rows into columns, and write results.

/// Expands to the types and methods of a [`BatchKernel`](crate::kernel::batch::BatchKernel) that concern only the
/// reading and writing of columns. The kernel must have a [`Parser`](super::rows::Parser) in its field `parser`.
macro_rules! reads_columns {
    () => {
        type Rows = $crate::kernel::columns::rows::Typed;
        type Outputs = $crate::kernel::columns::results::Results;

        fn fields(&self) -> Option<usize> {
            self.parser.signature().count()
        }

        fn read(&self, record: &$crate::csv::record::Record, rows: &mut Self::Rows) -> Result<(), $crate::BadRow> {
            self.parser.read(record, rows)
        }

        fn try_read(&self, record: &$crate::csv::record::Record, rows: &mut Self::Rows) -> bool {
            self.parser.try_read(record, rows).is_ok()
        }

        fn read_rows(
            &self,
            found: &$crate::csv::index::Rows,
            rows: &mut Self::Rows,
            other: $crate::kernel::batch::Other<Self::Rows>,
        ) -> usize {
            self.parser.read_rows(found, rows, other)
        }

        fn write(
            &self,
            results: &Self::Outputs,
            range: std::ops::Range<usize>,
            format: $crate::csv::Format,
            room: &mut [u8],
        ) -> $crate::kernel::batch::Written {
            results.write(&self.parser.signature().outputs, range, format, room)
        }

        fn takes_missing(&self, field: usize) -> bool {
            self.parser.signature().input(field).may_lack
        }

        fn may_be_value(&self, text: &[u8]) -> bool {
            self.parser.may_be_value(text)
        }

        fn is_known_to_write_rows(&self) -> bool {
            true
        }
    };
}
pub(crate) use reads_columns;
