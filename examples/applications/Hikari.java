import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Function;
import java.util.logging.Logger;
import javax.sql.DataSource;

/** HikariCP: a data source that finds the login that is right now; the pool asks it for each new session. */
public final class Hikari {
  /** The members of the secret's JSON, as texts; empty where the secret has no such label, or it may not be read. */
  public interface Versions extends Function<String, Optional<Map<String, String>>> {}

  private Hikari() {}

  public static HikariDataSource pool(Versions versions) {
    HikariConfig config = new HikariConfig();
    config.setDataSource(new RotatingDataSource(versions));
    config.setMaximumPoolSize(20);
    config.setMinimumIdle(0);
    config.setInitializationFailTimeout(-1);
    return new HikariDataSource(config);
  }

  public static String currentUser(DataSource pool) throws SQLException {
    try (Connection connection = pool.getConnection();
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT current_user")) {
      rows.next();
      return rows.getString(1);
    }
  }

  static final class RotatingDataSource implements DataSource {
    private static final long FRESH_MILLIS = 300_000;
    private static final long STAND_IN_MILLIS = 5_000;

    private final Versions versions;
    private Map<String, String> known;
    private long until;

    RotatingDataSource(Versions versions) {
      this.versions = versions;
    }

    @Override
    public Connection getConnection() throws SQLException {
      Map<String, String> login = known();
      SQLException refusal = null;
      if (login != null) {
        try {
          return connect(login);
        } catch (SQLException error) {
          refusal = needRefused(error);
        }
      }
      Map<String, String> current = versions.apply("AWSCURRENT").orElseThrow(() -> new SQLException("AWSCURRENT is needed"));
      for (String label : List.of("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")) {
        boolean isCurrent = label.equals("AWSCURRENT");
        Map<String, String> other = isCurrent ? current : versions.apply(label).orElse(null);
        if (other == null || !mayStandIn(other, current)) continue;
        try {
          Connection connection = connect(other);
          accepted(other, isCurrent ? FRESH_MILLIS : STAND_IN_MILLIS);
          return connection;
        } catch (SQLException error) {
          refusal = needRefused(error);
        }
      }
      throw refusal;
    }

    private synchronized Map<String, String> known() {
      return System.currentTimeMillis() < until ? known : null;
    }

    private synchronized void accepted(Map<String, String> login, long millis) {
      known = login;
      until = System.currentTimeMillis() + millis;
    }

    /** Any other error than a refused password is the application's. */
    private static SQLException needRefused(SQLException error) throws SQLException {
      if (!"28P01".equals(error.getSQLState())) throw error;
      return error;
    }

    /** Whoever may write the secret, but not read it, must not have another version's password sent to their server. */
    private static boolean mayStandIn(Map<String, String> other, Map<String, String> current) {
      String a = other.get("username");
      String b = current.get("username");
      boolean sameUser = a.equals(b) || a.equals(b + "_clone") || b.equals(a + "_clone");
      return sameUser
          && List.of("host", "port", "dbname", "ssl", "sslhostname").stream()
              .allMatch(key -> String.valueOf(other.get(key)).equals(String.valueOf(current.get(key))));
    }

    private static Connection connect(Map<String, String> login) throws SQLException {
      Properties properties = new Properties();
      properties.setProperty("user", login.get("username"));
      properties.setProperty("password", login.get("password"));
      boolean plain = "false".equalsIgnoreCase(login.get("ssl"));
      // Elsewhere than with Java's own roots: sslrootcert, Amazon's bundle of RDS roots.
      properties.setProperty("sslmode", plain ? "disable" : "verify-full");
      if (!plain) properties.setProperty("sslfactory", "org.postgresql.ssl.DefaultJavaSSLFactory");
      String port = login.getOrDefault("port", "5432");
      String database = login.getOrDefault("dbname", "postgres");
      return new org.postgresql.Driver()
          .connect("jdbc:postgresql://" + login.get("host") + ":" + port + "/" + database, properties);
    }

    @Override
    public Connection getConnection(String username, String password) throws SQLException {
      return getConnection();
    }

    @Override
    public PrintWriter getLogWriter() {
      return null;
    }

    @Override
    public void setLogWriter(PrintWriter out) {}

    @Override
    public void setLoginTimeout(int seconds) {}

    @Override
    public int getLoginTimeout() {
      return 0;
    }

    @Override
    public Logger getParentLogger() {
      return Logger.getGlobal();
    }

    @Override
    public <T> T unwrap(Class<T> type) throws SQLException {
      throw new SQLException("a data source that wraps nothing");
    }

    @Override
    public boolean isWrapperFor(Class<?> type) {
      return false;
    }
  }
}
