import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;

/** Puts a running engine through its paces with pgjdbc: java -cp JAR JdbcClient.java PORT */
public class JdbcClient {
    static final Object[][] VALUES = {
        {"boolean", true},
        {"integer", 5},
        {"bigint", Long.MIN_VALUE},
        {"real", 0.5f},
        {"double precision", 0.1},
        {"numeric", new BigDecimal("1.50")},
        {"varchar", "naïve '\"\\\n"},
        {"bytea", new byte[] {0, (byte) 255}},
        {"date", LocalDate.of(2026, 1, 2)},
        {"time", LocalTime.of(1, 2, 3, 4_000)},
        {"timestamp", LocalDateTime.of(2026, 1, 2, 3, 4, 5, 6_000)},
        {"timestamp", Timestamp.valueOf("2026-01-02 03:04:05.006")},
        {"timestamptz", OffsetDateTime.parse("2026-01-02T03:04:05Z")},
    };

    static void same(Object found, Object expected, String what) {
        boolean equal = expected instanceof byte[]
            ? Arrays.equals((byte[]) expected, (byte[]) found)
            : String.valueOf(expected).equals(String.valueOf(found));
        if (!equal) {
            throw new AssertionError(what + ": " + found + " instead of " + expected);
        }
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> found = new ArrayList<>();
        while (rows.next()) {
            found.add(rows.getString(name));
        }
        return found;
    }

    /** From the fifth execution on pgjdbc prepares the statement on the server and reads the binary format. */
    static void values(Connection connection) throws SQLException {
        for (Object[] pair : VALUES) {
            String sql = "select cast(? as " + pair[0] + "), cast(null as " + pair[0] + ")";
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                statement.setObject(1, pair[1]);
                for (int i = 0; i < 8; i++) {
                    try (ResultSet row = statement.executeQuery()) {
                        row.next();
                        boolean modern = pair[1].getClass().getName().startsWith("java.time");
                        Object found = modern ? row.getObject(1, pair[1].getClass()) : row.getObject(1);
                        same(found, pair[1], pair[0] + ", execution " + i);
                        same(row.getObject(2), null, pair[0] + " NULL");
                    }
                }
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("select cast(? as integer[]), cast(? as varchar[])")) {
            statement.setArray(1, connection.createArrayOf("int4", new Integer[] {1, null}));
            statement.setArray(2, connection.createArrayOf("varchar", new String[] {"a", "b,\"c", null}));
            for (int i = 0; i < 8; i++) {
                try (ResultSet row = statement.executeQuery()) {
                    row.next();
                    same(Arrays.toString((Object[]) row.getArray(1).getArray()), "[1, null]", "integer[]");
                    same(Arrays.toString((Object[]) row.getArray(2).getArray()), "[a, b,\"c, null]", "varchar[]");
                }
            }
        }
    }

    static void rows(Connection connection, Statement plain) throws SQLException {
        plain.execute("create table jdbc_rows (id int primary key, name varchar, at timestamp, at_zone timestamptz)");
        try (PreparedStatement insert = connection.prepareStatement("insert into jdbc_rows values (?, ?, ?, ?)")) {
            for (int i = 0; i < 30; i++) {
                insert.setInt(1, i);
                insert.setString(2, "n" + i);
                insert.setTimestamp(3, Timestamp.valueOf("2026-01-02 03:04:05"));
                insert.setTimestamp(4, new Timestamp(0));
                insert.addBatch();
            }
            same(insert.executeBatch().length, 30, "a batch");
        }
        plain.execute("flush");
        try (PreparedStatement select = connection.prepareStatement("select * from jdbc_rows where id = ? and name like ?")) {
            for (int i = 0; i < 10; i++) {
                select.setInt(1, i);
                select.setString(2, "n%");
                try (ResultSet row = select.executeQuery()) {
                    row.next();
                    same(row.getString("name"), "n" + i, "a prepared row");
                    same(row.getTimestamp("at"), Timestamp.valueOf("2026-01-02 03:04:05"), "a timestamp");
                    same(row.getTimestamp("at_zone").getTime(), 0, "an instant");
                }
            }
        }
        same(plain.executeUpdate("update jdbc_rows set name = 'x' where id < 5"), 5, "rows of an UPDATE");
    }

    static void errors(Connection connection, Statement plain) throws SQLException {
        connection.setAutoCommit(false);
        try {
            plain.executeQuery("select nope");
            throw new AssertionError("an unknown column is no error");
        } catch (SQLException error) {
            same(error.getSQLState(), "XX000", "SQLSTATE");
        }
        connection.rollback();
        connection.setAutoCommit(true);
        new Timer(true).schedule(new TimerTask() {
            @Override
            public void run() {
                try {
                    plain.cancel();
                } catch (SQLException error) {
                    throw new IllegalStateException(error);
                }
            }
        }, 500);
        try {
            plain.executeQuery("select pg_sleep(20)");
            throw new AssertionError("a cancelled query ended without an error");
        } catch (SQLException error) {
            same(error.getMessage().contains("Task aborted: cancelled"), true, error.getMessage());
        }
        same(column(plain.executeQuery("select 1 as one"), "one"), "[1]", "a query after a cancelled one");
    }

    static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData metadata = connection.getMetaData();
        same(metadata.getDatabaseProductVersion(), "13.14.0", "version");
        same(column(metadata.getCatalogs(), "TABLE_CAT"), "[dev]", "databases");
        same(column(metadata.getSchemas(), "TABLE_SCHEM").contains("public"), true, "schemas");
        same(column(metadata.getTables(null, "public", "jdbc%", new String[] {"TABLE"}), "TABLE_NAME"), "[jdbc_rows]", "tables");
        ResultSet columns = metadata.getColumns(null, "public", "jdbc_rows", "%");
        same(column(columns, "TYPE_NAME"), "[int4, varchar, timestamp, timestamptz]", "types of columns");
        same(column(metadata.getPrimaryKeys(null, "public", "jdbc_rows"), "COLUMN_NAME"), "[id]", "the key");
    }

    public static void main(String[] arguments) throws Exception {
        for (String options : new String[] {"", "&prepareThreshold=1", "&prepareThreshold=-1"}) {
            String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/dev?user=root" + options;
            try (Connection connection = DriverManager.getConnection(url); Statement plain = connection.createStatement()) {
                values(connection);
                rows(connection, plain);
                errors(connection, plain);
                metadata(connection);
                plain.execute("drop table jdbc_rows");
            }
        }
    }
}
