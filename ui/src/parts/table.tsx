import type { ReactNode } from "react";

/** One column: its heading and what it shows of an item. */
export interface Column<T> {
  title: string;
  show: (item: T) => ReactNode;
  /** Numbers stand right. */
  numeric?: boolean;
}

interface TableProps<T> {
  columns: Column<T>[];
  items: T[];
  keyOf: (item: T) => string;
  /** What is said when there are none. */
  empty: ReactNode;
}

/** A table of items. */
export function Table<T>({ columns, items, keyOf, empty }: TableProps<T>) {
  if (items.length === 0) return <p className="empty">{empty}</p>;
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" className={column.numeric ? "numeric" : undefined}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={keyOf(item)}>
              {columns.map((column) => (
                <td key={column.title} className={column.numeric ? "numeric" : undefined}>
                  {column.show(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
