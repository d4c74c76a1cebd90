import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;

/** One real Elasticsearch 7.17 node from the jars on the class path. Arguments: HOME (with config/), HTTP port. */
public class LocalElasticsearch7 {
  private static final String[] MODULES = {
    "org.elasticsearch.transport.Netty4Plugin",
    "org.elasticsearch.reindex.ReindexPlugin",
    "org.elasticsearch.index.mapper.MapperExtrasPlugin",
    "org.elasticsearch.join.ParentJoinPlugin",
  };

  static class LocalNode extends Node {
    LocalNode(Environment environment, Collection<Class<? extends Plugin>> plugins) {
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
    List<Class<? extends Plugin>> modules = new ArrayList<>();
    for (String module : MODULES) modules.add(Class.forName(module).asSubclass(Plugin.class));
    Node node = new LocalNode(environment, modules);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
    node.start();
    Thread.currentThread().join();
  }

  private static void close(Node node) {
    try {
      node.close();
    } catch (Exception e) {
      e.printStackTrace();
    }
  }
}
