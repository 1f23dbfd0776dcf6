// Positions of every deletion vector that a table's scan uses: DumpVectors <metadata.json> -> one JSON document per line,
// {"puffin", "data_file", "offset", "length", "cardinality", "runs": [[first, last], ...]}.
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.StaticTableOperations;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.BaseDeleteLoader;
import org.apache.iceberg.deletes.PositionDeleteIndex;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.CloseableIterable;

public final class DumpVectors {
  public static void main(String[] args) throws Exception {
    for (String location : args) {
      HadoopFileIO io = new HadoopFileIO(new Configuration());
      Table table = new BaseTable(new StaticTableOperations(location, io), location);
      try (CloseableIterable<FileScanTask> tasks = table.newScan().planFiles()) {
        for (FileScanTask task : tasks) {
          for (DeleteFile d : task.deletes()) {
            if (d.format() == FileFormat.PUFFIN) {
              print(io, d);
            }
          }
        }
      }
    }
  }

  private static void print(HadoopFileIO io, DeleteFile d) throws Exception {
    PositionDeleteIndex index =
        new BaseDeleteLoader(f -> io.newInputFile(f.location())).loadPositionDeletes(List.of(d), d.referencedDataFile());
    List<Long> positions = new ArrayList<>();
    index.forEach(positions::add);
    positions.sort(null);
    ObjectNode out = Json.F.objectNode();
    out.put("puffin", d.location());
    out.put("data_file", d.referencedDataFile());
    out.put("offset", d.contentOffset()).put("length", d.contentSizeInBytes()).put("cardinality", d.recordCount());
    ArrayNode runs = out.putArray("runs");
    for (int i = 0; i < positions.size(); ) {
      int j = i;
      while (j + 1 < positions.size() && positions.get(j + 1) == positions.get(j) + 1) {
        j++;
      }
      runs.addArray().add(positions.get(i)).add(positions.get(j));
      i = j + 1;
    }
    System.out.println(Json.MAPPER.writeValueAsString(out));
  }
}
