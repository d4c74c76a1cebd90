import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/** One real OpenSearch node from the jars on the class path. Arguments: HOME (with config/) and the HTTP port. */
public class LocalOpenSearch {
  private static final String[] MODULES = {
    "org.opensearch.transport.Netty4Plugin",
    "org.opensearch.index.reindex.ReindexPlugin",
    "org.opensearch.painless.PainlessPlugin",
    "org.opensearch.script.expression.ExpressionPlugin",
    "org.opensearch.script.mustache.MustachePlugin",
    "org.opensearch.analysis.common.CommonAnalysisPlugin",
    "org.opensearch.index.mapper.MapperExtrasPlugin",
    "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin",
    "org.opensearch.join.ParentJoinPlugin",
    "org.opensearch.percolator.PercolatorPlugin",
    "org.opensearch.index.rankeval.RankEvalPlugin",
    "org.opensearch.ingest.common.IngestCommonPlugin",
  };

  static class LocalNode extends Node {
    @SuppressWarnings({"unchecked", "rawtypes"}) // plugin classes in 2.x, plugin descriptions in 3.x
    LocalNode(Environment environment, Collection plugins) {
      super(environment, plugins, false);
    }
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Settings settings = Settings.builder().put("path.home", home).put("http.port", args[1]).build();
    Environment environment =
        InternalSettingsPreparer.prepareEnvironment(
            settings, Collections.emptyMap(), home.resolve("config"), () -> "local");
    LogConfigurator.setNodeName("local");
    LogConfigurator.configure(environment);
    Node node = new LocalNode(environment, modules());
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node, stopped)));
    node.start();
    stopped.await();
  }

  private static List<Object> modules() throws ClassNotFoundException {
    boolean descriptions = org.opensearch.Version.CURRENT.major >= 3;
    List<Object> modules = new ArrayList<>();
    for (String module : MODULES) {
      // 3.x renamed the classes of its modules
      String name = descriptions ? module.replaceFirst("Plugin$", "ModulePlugin") : module;
      Class<?> type = Class.forName(name);
      String version = org.opensearch.Version.CURRENT.toString();
      modules.add(
          descriptions
              ? new PluginInfo(
                  name, "module", version, org.opensearch.Version.CURRENT, "11", name, null, Collections.emptyList(), false)
              : type);
    }
    return modules;
  }

  private static void close(Node node, CountDownLatch stopped) {
    try {
      node.close();
    } catch (Exception e) {
      e.printStackTrace();
    }
    stopped.countDown();
  }
}
